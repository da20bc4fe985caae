"""The prepared text about the model that answers now: what changed, and how well it does."""

from html import escape

from bot.context import Services
from bot.texts.catalogue import Texts
from classifier.card import Card
from classifier.labels import Modality
from classifier.report_texts import WORDS, Language
from storage import models
from storage.models import Part

# Of a card's figures those that tell a patient something.
FIGURES = ("sensitivity", "specificity", "accuracy")


async def texts(services: Services) -> dict[str, str]:
    """Write it in each language, about the model that was chosen last."""
    active = services.models.active.models
    chosen = (await services.storage.read(models.current, Part.ACTIVE)).values()
    latest = max((each for each in chosen if each.modality in active), key=lambda each: each.id)
    now, former = active[Modality(latest.modality)], await _former(services, latest.modality)
    return {language: in_words(Texts(language), now.card, former) for language in Language}


async def _former(services: Services, modality: str) -> Card | None:
    """Find the card of the model that answered before, if it is still installed."""
    before = await services.storage.read(models.former, modality)
    if before is None:
        return None
    found = (await services.models.installed()).models
    return next((each.card for each in found if each.digest == before.digest), None)


def in_words(texts: Texts, now: Card, former: Card | None) -> str:
    """Write it in one language, as HTML."""
    name = escape(now.name)
    if former is None or former.name == now.name:
        changed = texts("update.now", name=name)
    else:
        changed = texts("update.instead", name=name, former=escape(former.name))
    lines = [_figure(texts, each, now, former) for each in FIGURES if each in now.figures]
    words = WORDS[texts.language]
    parts = [
        texts(f"update.title.{now.modality}"),
        changed,
        "\n".join([texts("update.figures"), *lines]) if lines else "",
        escape(words.experimental) if now.modality is Modality.CT else "",
        escape(words.trained_on[now.modality]),
        texts("update.remains"),
    ]
    return "\n\n".join(filter(None, parts))


def _figure(texts: Texts, name: str, now: Card, former: Card | None) -> str:
    figure = _interval(texts, now.figures[name])
    if former is not None and name in former.figures:
        before = _interval(texts, former.figures[name])
        figure = texts("update.before", figure=figure, former=before)
    return texts(f"update.{name}", figure=figure)


def _interval(texts: Texts, figure: tuple[float, float, float]) -> str:
    value, low, high = (f"{share:.1%}" for share in figure)
    return texts("update.interval", value=value, low=low, high=high)
