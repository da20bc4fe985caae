"""Does the model that listens in agree with the doctors more often than the one that answers?"""

from dataclasses import dataclass

from telegram import Update

from bot.admin.model_choice import name_of
from bot.comparison import Comparison, compare
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as
from bot.say import say
from bot.texts.catalogue import Texts
from classifier.model import build_name
from storage import models
from storage.agreement import Share
from storage.models import Choice, Part
from storage.staff import Role
from storage.transaction import Tx

# With fewer cases the intervals say nothing.
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same cases; `missed` is how many the candidate did not look at."""

    active: Choice
    shadow: Choice
    compared: Comparison | None
    missed: int


async def show(update: Update, context: Context) -> None:
    """Compare them, for each kind of picture that has a candidate."""
    if update.callback_query is not None:
        await answer_tap(update, context)
    # Outside of the transaction of the reply: it goes through many cases.
    pairs = await context.storage.read(_pairs)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        parts = [_told(texts, pair) for pair in pairs] or [texts("compare.nobody")]
        say(tx, key, acting.chat, "\n\n".join(parts))

    await reply_as(Role.ADMIN, update, context, reply)


def _pairs(tx: Tx) -> list[Pair]:
    active, shadow = (models.current(tx, part) for part in Part)
    return [
        _pair(tx, active[modality], candidate)
        for modality, candidate in shadow.items()
        if modality in active
    ]


def _pair(tx: Tx, active: Choice, shadow: Choice) -> Pair:
    old, new = (build_name(each.name, each.digest) for each in (active, shadow))
    compared = compare(models.compare(tx, old, new))
    return Pair(active, shadow, compared, models.missed(tx, old, new, shadow.at))


def _told(texts: Texts, pair: Pair) -> str:
    title = texts("compare.title", modality=texts(f"modality.{pair.active.modality}"))
    compared, count = pair.compared, pair.compared.active.whole if pair.compared else 0
    lines = [title, texts("compare.cases", count=count, missed=pair.missed)]
    if compared is None or count < FEWEST:
        return "\n".join([*lines, texts("compare.too_few", fewest=FEWEST)])
    for choice, share in ((pair.active, compared.active), (pair.shadow, compared.shadow)):
        line = f"compare.{choice.part}"
        lines.append(texts(line, name=name_of(choice), **_share(share)))
    return "\n".join(
        [
            *lines,
            texts(
                "compare.difference",
                difference=f"{100 * compared.difference:+.1f}",
                low=f"{100 * compared.low:+.1f}",
                high=f"{100 * compared.high:+.1f}",
            ),
            texts("compare.only", active=compared.only_active, shadow=compared.only_shadow),
            texts("compare.how"),
        ]
    )


def _share(share: Share) -> dict[str, object]:
    low, high = share.interval()
    shown = {"share": share.part / share.whole, "low": low, "high": high}
    return {"part": share.part, "whole": share.whole} | {
        name: f"{100 * value:.0f}" for name, value in shown.items()
    }
