"""The words on the answer picture, in each language."""

# ruff: noqa: RUF001 - the Chinese marks that look like ASCII ones are meant

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from classifier import refusals
from classifier.labels import Doubt, Label, Modality
from classifier.refusals import RefusalReason


class Language(StrEnum):
    """A language the answer picture speaks."""

    CHINESE = "zh"
    ENGLISH = "en"


class Sureness(StrEnum):
    """How sure a named class is, in words."""

    HIGH = "high"
    FAIR = "fair"
    SLIGHT = "slight"


SURENESS_FROM: tuple[tuple[float, Sureness], ...] = (
    (0.95, Sureness.HIGH),
    (0.80, Sureness.FAIR),
    (0.00, Sureness.SLIGHT),
)
"""The lowest calibrated probability that each word stands for, highest first."""


@dataclass(frozen=True, slots=True)
class Words:
    """All texts of one language."""

    title: Mapping[Modality | None, str]
    case: str
    scan_caption: str
    overlay_caption: str
    speaks_for_normal: str
    speaks_for_pneumonia: str
    overlay_warning: str
    most_likely: str
    estimate: str
    unsure: str
    unsure_advice: str
    pneumonia: str
    pneumonia_advice: str
    labels: Mapping[Label, str]
    sureness: Mapping[Sureness, str]
    advice: Mapping[Label, str]
    bars_title: str
    doubts_title: str
    doubts: Mapping[Doubt, str]
    refused: str
    refusals: Mapping[RefusalReason, str]
    emergency: str
    not_a_diagnosis: str
    trained_on: Mapping[Modality, str]
    model: str
    between_sentences: str
    experimental: str
    slices_title: str
    slice_of: str
    ends: tuple[str, str]
    ends_unknown: tuple[str, str]
    from_feet: str
    order_unknown: str
    affected: str
    of_series: str


CHINESE = Words(
    title={Modality.XRAY: "胸部 X 光片", Modality.CT: "胸部 CT", None: "您的图片"},
    case="编号",
    scan_caption="您的图片",
    overlay_caption="模型关注的位置",
    speaks_for_normal="正常",
    speaks_for_pneumonia="肺炎",
    overlay_warning="颜色表示模型看了哪里，并不表示那里有病变。",
    most_likely="模型认为最可能是",
    estimate="模型的估计",
    unsure="没有把握，请让医生看",
    unsure_advice="即使某个横条较长，也不一定达到模型下结论的标准。请让医生看一看。",
    pneumonia="像是肺炎，类型不能确定",
    pneumonia_advice="模型认为肺炎的可能性比正常大得多，但没有把握说是细菌性还是病毒性，也可能出错。"
    "请尽快把片子带给医生看。",
    labels={Label.NORMAL: "正常", Label.BACTERIAL: "细菌性肺炎", Label.VIRAL: "病毒性肺炎"},
    sureness={
        Sureness.HIGH: "模型很有把握，但仍可能出错。",
        Sureness.FAIR: "模型比较有把握，但仍可能出错。",
        Sureness.SLIGHT: "模型倾向于这个结果，但把握不大。",
    },
    advice={
        Label.NORMAL: "如果您或孩子感到不适，仍请就医。",
        Label.BACTERIAL: "细菌性和病毒性容易混淆，类型可能判断错误。请尽快把片子带给医生看。",
        Label.VIRAL: "细菌性和病毒性容易混淆，类型可能判断错误。请尽快把片子带给医生看。",
    },
    bars_title="各种结果的可能性",
    doubts_title="请留意",
    doubts={
        Doubt.LOW_MARGIN: "最可能的两种结果比较接近，所以不下结论。",
        Doubt.UNLIKE_TRAINING: (
            "这张片子和模型学习过的片子不太一样，或者只拍到胸部的一部分，所以不下结论。"
        ),
        Doubt.TOO_SMALL: "图片太小，看不清细节。请发送原始尺寸的图片，不要发送缩略图。",
        Doubt.BLURRED: "图片模糊。请拿稳手机、对好焦再拍一张，或者发送医院导出的原始文件。",
        Doubt.TOO_DARK: "图片太暗。请把片子放在明亮的白光前再拍一张，或者发送医院导出的原始文件。",
        Doubt.TOO_BRIGHT: "图片太亮。请调低亮度、避开反光再拍一张，或者发送医院导出的原始文件。",
        Doubt.CLIPPED: (
            "图片有些地方变成了纯白或纯黑，细节已经丢失。"
            "请避开反光、不要编辑图片，重新拍一张，或者发送医院导出的原始文件。"
        ),
        Doubt.FLAT: (
            "图片几乎没有明暗对比，看不出结构。请避开雾气和反光再拍一张，"
            "或者发送医院导出的原始文件。"
        ),
        Doubt.EDITED: (
            "图片像是被处理过或过度压缩：有的地方被遮住，或者灰度有缺失。请发送未经修改的图片，"
            "或者医院导出的原始文件。"
        ),
        Doubt.PHOTOGRAPHED: (
            "我们从您的照片里裁出了片子，并把它拉正了，所以不下结论。"
            "如果有医院导出的原始文件，请发送它。"
        ),
        Doubt.DAMAGED: (
            "文件有损坏，图片可能有缺失或错乱的地方，所以不下结论。请重新导出或下载，再发送新的文件。"
        ),
        Doubt.OTHER_AGE: (
            "文件显示患者不在 1 至 5 岁之间，而模型主要学习的是 1 至 5 岁儿童的胸片，所以不下结论。"
        ),
        Doubt.OTHERS_UNSEEN: (
            "文件里还有别的图片没有看，或者有图片无法读取，所以不下结论。"
            "请把每张图片、每个完整的 CT 序列分开发送。"
        ),
        Doubt.POOR_QUALITY: (
            "图片颗粒感重，不够清晰。请在明亮处重新拍一张，或者发送医院导出的原始文件。"
        ),
    },
    refused="这次没有给出估计",
    refusals={
        RefusalReason.EMPTY: "文件是空的，请重新发送。",
        RefusalReason.UNKNOWN_TYPE: (
            "我们无法读取这种文件。请发送 JPEG、PNG、WebP、TIFF 或 BMP 图片、DICOM 文件，"
            "或者一个 CT 序列的 zip 压缩包。"
        ),
        RefusalReason.BROKEN: "文件已损坏或不完整。请重新导出或下载，再发送新的文件。",
        RefusalReason.TOO_LARGE: "图片的尺寸超出了胸部影像的范围。请按正常尺寸重新导出。",
        RefusalReason.TOO_COSTLY: (
            "打开这个文件需要的时间或内存太多，我们已停止处理。请重新导出，最好选择不压缩。"
        ),
        RefusalReason.UNSUPPORTED_SYNTAX: (
            "这个 DICOM 文件使用了已停用或我们不支持的压缩方式。"
            "请导出为不压缩、JPEG 2000、JPEG-LS 或 RLE 格式，医院影像科可以帮您导出。"
        ),
        RefusalReason.NO_PIXELS: "这个 DICOM 文件里没有图像。请发送检查的图像文件。",
        RefusalReason.NOT_CHEST: (
            "这看起来不是正面的胸部 X 光片或胸部 CT；侧面拍的片子无法分析。如果确实是正面片或 CT，"
            "请发送医院导出的原始文件，或者正对片子、让片子占满画面重新拍一张。"
        ),
        RefusalReason.ENCRYPTED_ARCHIVE: "压缩包设有密码。请去掉密码后重新发送。",
        RefusalReason.NESTED_ARCHIVE: (
            "压缩包里还有压缩包。请先解压，再把 DICOM 文件直接打包发送。"
        ),
        RefusalReason.TOO_MANY_FILES: "压缩包里的文件多于一个 CT 序列。请每次只发送一个序列。",
        RefusalReason.NOTHING_INSIDE: (
            "文件里没有找到影像。请发送图片本身，或者包含 DICOM 文件的压缩包。"
        ),
        RefusalReason.SEVERAL_STUDIES: (
            "文件里有不止一张片子或一次检查。请每次只发送一张片子或一次检查。"
        ),
        RefusalReason.NO_CT_MODEL: (
            "这是一份 CT。我们可以显示它，但目前没有安装 CT 模型，所以不能给出估计。请咨询医生。"
        ),
    },
    emergency=(
        "呼吸困难、胸痛、嘴唇发紫，或者孩子很难叫醒、喝不下水？"
        "请立即拨打急救电话 120。中国大陆以外请拨打当地急救电话。"
    ),
    not_a_diagnosis="这不是诊断，本程序也不是医疗器械，只供研究，可能会出错。诊断请以医生为准。",
    trained_on={
        Modality.XRAY: (
            "模型主要学习了一家医院 1 至 5 岁儿童的胸片，成人的很少；"
            "用于成人或更大的孩子时更容易出错。"
        ),
        Modality.CT: "模型只学习过少数几个来源的公开研究用胸部 CT，用于其他影像时更容易出错。",
    },
    model="模型",
    between_sentences="",
    experimental=(
        "实验性功能：CT 目前一律不下结论。模型只学习过少数几个来源的图像，请不要依赖这些数字。"
    ),
    slices_title="模型认为最偏向肺炎的层面",
    slice_of="第 {number} 层，共 {count} 层",
    ends=("脚侧", "头侧"),
    ends_unknown=("最前", "最后"),
    from_feet="层数从脚的一侧数起。",
    order_unknown="文件没有说明哪一端是头，层数按文件中的顺序。",
    affected=(
        "在看过的 {looked_at} 层里，模型在 {affected} 层（{share}）偏向肺炎。"
        "这并不表示肺部有多少病变。"
    ),
    of_series="文件里有 {series} 个 CT 序列，这里看的是肺部最完整的一个。",
)

ENGLISH = Words(
    title={Modality.XRAY: "Chest X-ray", Modality.CT: "Chest CT", None: "Your picture"},
    case="Case",
    scan_caption="Your picture",
    overlay_caption="Where the model looked",
    speaks_for_normal="normal",
    speaks_for_pneumonia="pneumonia",
    overlay_warning="The colours show where the model looked. They do not mark an illness.",
    most_likely="The model finds most likely",
    estimate="Estimate of the model",
    unsure="Unsure: a doctor should look",
    unsure_advice="Even a long bar may fall short of what the model needs to name an answer. "
    "Please show the picture to a doctor.",
    pneumonia="Looks like pneumonia – which kind is not clear",
    pneumonia_advice="The model finds pneumonia much more likely than normal, but is not sure "
    "enough whether it is bacterial or viral, and it can be wrong. Please show the picture to a "
    "doctor soon.",
    labels={
        Label.NORMAL: "Normal",
        Label.BACTERIAL: "Bacterial pneumonia",
        Label.VIRAL: "Viral pneumonia",
    },
    sureness={
        Sureness.HIGH: "The model is very sure, but it can still be wrong.",
        Sureness.FAIR: "The model is fairly sure, but it can be wrong.",
        Sureness.SLIGHT: "The model leans towards this answer, but is not very sure.",
    },
    advice={
        Label.NORMAL: "If you or your child feel ill, please see a doctor all the same.",
        Label.BACTERIAL: "Bacterial and viral are easily mixed up, so the kind may be wrong. "
        "Please show the picture to a doctor soon.",
        Label.VIRAL: "Bacterial and viral are easily mixed up, so the kind may be wrong. "
        "Please show the picture to a doctor soon.",
    },
    bars_title="How likely the model finds each answer",
    doubts_title="Please keep in mind",
    doubts={
        Doubt.LOW_MARGIN: ("The two most likely answers are rather close, so no answer is named."),
        Doubt.UNLIKE_TRAINING: (
            "This picture differs from those the model learned from, or shows only part of a "
            "chest, so no answer is named."
        ),
        Doubt.TOO_SMALL: (
            "The picture is too small to show details. Please send it in its original size, "
            "not as a thumbnail."
        ),
        Doubt.BLURRED: (
            "The picture is blurred. Hold the phone still, let it focus and take another one, "
            "or send the original file from the hospital."
        ),
        Doubt.TOO_DARK: (
            "The picture is too dark. Take another one with the film before a bright white light, "
            "or send the original file from the hospital."
        ),
        Doubt.TOO_BRIGHT: (
            "The picture is too bright. Take another one with less light and no reflections, "
            "or send the original file from the hospital."
        ),
        Doubt.CLIPPED: (
            "Parts of the picture are pure white or black, and their details are lost. Take "
            "another one without reflections or edits, or send the original file from the hospital."
        ),
        Doubt.FLAT: (
            "The picture has hardly any contrast. Take another one without haze or reflections, "
            "or send the original file from the hospital."
        ),
        Doubt.EDITED: (
            "The picture looks edited or strongly compressed: parts are covered, or greys are "
            "missing. Please send it as it was, or the original file from the hospital."
        ),
        Doubt.PHOTOGRAPHED: (
            "We cut the film out of your photo and straightened it, so no answer is named. Please "
            "send the original file from the hospital if you have it."
        ),
        Doubt.DAMAGED: (
            "The file is damaged: parts of the picture may be missing or wrong, so no answer is "
            "named. Please export or download it again and send the new copy."
        ),
        Doubt.OTHER_AGE: (
            "According to the file, the patient is not 1 to 5 years old. The model learned mostly "
            "from children of that age, so no answer is named."
        ),
        Doubt.OTHERS_UNSEEN: (
            "The file holds other pictures that were not looked at, or that could not be read, so "
            "no answer is named. Please send each picture, or each whole CT series, by itself."
        ),
        Doubt.POOR_QUALITY: (
            "The picture is grainy and not very clear. Take another one in bright light, or send "
            "the original file from the hospital."
        ),
    },
    refused="No estimate this time",
    refusals=refusals.SENTENCES,
    emergency=(
        "Trouble breathing, chest pain, blue lips, or a child who is hard to wake or cannot drink? "
        "Call your emergency number now (120 in mainland China)."
    ),
    not_a_diagnosis=(
        "This is not a diagnosis, and this program is not a medical device. It is for research "
        "and can be wrong; only a doctor can make a diagnosis."
    ),
    trained_on={
        Modality.XRAY: (
            "The model learned mostly from chest X-rays of children aged 1–5 from one hospital, "
            "and from few adults. For adults and older children it is wrong more often."
        ),
        Modality.CT: (
            "The model learned only from public research chest CTs of a few sources. "
            "For other scans it is wrong more often."
        ),
    },
    model="Model",
    between_sentences=" ",
    experimental="Experimental: for a CT no answer is named for now. The model learned from a few "
    "sources; do not rely on these figures.",
    slices_title="The slices that look most like pneumonia to the model",
    slice_of="Slice {number} of {count}",
    ends=("feet", "head"),
    ends_unknown=("first", "last"),
    from_feet="Slices are counted from the feet.",
    order_unknown="The file does not tell which end is the head; slices are in its own order.",
    affected="In {affected} of {looked_at} slices ({share}) the model leans towards pneumonia. "
    "This does not say how much of the lung is ill.",
    of_series="The file holds {series} CT series; this is the one that shows the most lung.",
)

WORDS: dict[Language, Words] = {Language.CHINESE: CHINESE, Language.ENGLISH: ENGLISH}

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def sureness(label: Label, probability: float) -> Sureness:
    """Find the word for the calibrated probability of a named class; of a kind none is very sure.

    How a picture was taken may have told it (docs/what_helped.md).
    """
    word = next(word for lowest, word in SURENESS_FROM if probability >= lowest)
    return Sureness.FAIR if word is Sureness.HIGH and label is not Label.NORMAL else word


def percent(probability: float) -> str:
    """Write a probability for a patient: whole percents, but never a flat 0 or 100."""
    if probability < 0.01:
        return "<1%"
    if probability > 0.99:
        return ">99%"
    return f"{probability:.0%}"


def moment(when: datetime, language: Language) -> str:
    """Write a date and time with its zone, such as `3 Oct 2026, 14:05 UTC`."""
    # A whole-hour offset reads better as "UTC+8" than as "UTC+08:00".
    zone = (when.tzname() or "").removesuffix(":00").replace("+0", "+").replace("-0", "-")
    clock = f"{when:%H:%M} {zone}".rstrip()
    if language is Language.CHINESE:
        return f"{when.year}年{when.month}月{when.day}日 {clock}"
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}, {clock}"


def every_text(language: Language) -> tuple[str, ...]:
    """List all texts of a language, for the font subset and for the tests."""
    words = WORDS[language]
    found: list[str] = []
    for field in fields(words):
        value = getattr(words, field.name)
        if isinstance(value, Mapping):
            value = tuple(value.values())
        found.extend([value] if isinstance(value, str) else value)
    return (*found, moment(datetime(2026, 1, 1), language), percent(0.0), percent(1.0))
