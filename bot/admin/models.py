"""The models: which there are and how good they are, which answers, which listens in."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from telegram import Update

from bot.admin import model_comparison
from bot.admin.model_choice import COMPARE, LISTEN, STOP, USE, name_of, why_not
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, say
from bot.texts.catalogue import Texts
from classifier.installed import Found, Installed
from classifier.labels import Modality
from storage import models
from storage.models import Choice, Part
from storage.staff import Role
from storage.transaction import Tx

SHOW = "model"
# What the list tells of each model; the page of a model tells all.
CHIEF = ("accuracy", "sensitivity", "specificity")
LINES = 10
BROKEN_LINES = 5
# So much of a digest names a model in a button.
DIGITS = 16
LONGEST_STORY = 500

Figures = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which models have a part now, by modality."""

    active: Mapping[str, Choice]
    shadow: Mapping[str, Choice]

    @classmethod
    def now(cls, tx: Tx) -> "Chosen":
        """Look it up."""
        return cls(models.current(tx, Part.ACTIVE), models.current(tx, Part.SHADOW))

    def part_of(self, model: Installed) -> Part | None:
        """Tell the part that a model has."""
        for part, choices in ((Part.ACTIVE, self.active), (Part.SHADOW, self.shadow)):
            choice = choices.get(model.card.modality)
            if choice is not None and choice.digest == model.digest:
                return part
        return None


async def show(update: Update, context: Context) -> None:
    """List the models; `/model compare` holds the two that run against the doctors."""
    if "compare" in {word.lower() for word in context.args or ()}:
        await model_comparison.show(update, context)
        return
    found = await context.services.models.installed()

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        say(tx, key, acting.chat, *_list(tx, acting.texts, found))

    await reply_as(Role.ADMIN, update, context, reply)


async def show_one(update: Update, context: Context) -> None:
    """Show all that a model's card tells, and what can be done with it."""
    await answer_tap(update, context)
    found, digest = await context.services.models.installed(), tapped_value(update)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        model = found.by_digest(digest)
        if model is None:
            say(tx, key, acting.chat, acting.texts("model.gone"))
            return
        say(tx, key, acting.chat, *_page(acting.texts, model, Chosen.now(tx)))

    await reply_as(Role.ADMIN, update, context, reply)


def _list(tx: Tx, texts: Texts, found: Found) -> tuple[str, Buttons]:
    chosen = Chosen.now(tx)
    # Those that run come first, then the newest.
    listed = sorted(found.models, key=lambda model: chosen.part_of(model) is None)
    shown = listed[:LINES]
    parts = [texts("model.title"), *_not_there(texts, found, chosen)]
    parts += ["\n".join(_lines(texts, model, chosen, CHIEF)) for model in shown]
    if len(listed) > LINES:
        parts.append(texts("model.more", count=len(listed) - LINES))
    parts += [why_not(texts, error) for error in found.broken[:BROKEN_LINES]]
    buttons = [[(model.name, f"{SHOW}:{model.digest[:DIGITS]}")] for model in shown]
    return "\n\n".join(parts), [*buttons, *_ways_back(tx, texts, found), *_of_shadow(texts, chosen)]


def _not_there(texts: Texts, found: Found, chosen: Chosen) -> list[str]:
    """Tell of models that run although their folder was taken away or altered."""
    there = {model.digest for model in found.models}
    return [
        texts("model.not_there", name=name_of(choice))
        for choice in (*chosen.active.values(), *chosen.shadow.values())
        if choice.digest not in there
    ]


def _ways_back(tx: Tx, texts: Texts, found: Found) -> Buttons:
    """Give a button for each modality whose former model is still installed."""
    former = [choice for modality in Modality if (choice := models.former(tx, modality))]
    return [
        [(texts("model.back", name=model.name), f"{USE}:{model.digest[:DIGITS]}")]
        for choice in former
        for model in found.models
        if model.digest == choice.digest
    ]


def _of_shadow(texts: Texts, chosen: Chosen) -> Buttons:
    return [[(texts("model.compare"), f"{COMPARE}:")]] if chosen.shadow else []


def _page(texts: Texts, model: Installed, chosen: Chosen) -> tuple[str, Buttons]:
    card, part = model.card, chosen.part_of(model)
    story = escape(card.trained_on[:LONGEST_STORY])
    lines = [
        *_lines(texts, model, chosen, tuple(card.figures)),
        "",
        texts("model.data", data=story),
    ]
    listen = (texts("model.listen"), f"{LISTEN}:{model.digest[:DIGITS]}")
    use = (texts("model.use"), f"{USE}:{model.digest[:DIGITS]}")
    stop = (texts("model.stop"), f"{STOP}:{card.modality}")
    buttons = {None: [[use], [listen]], Part.SHADOW: [[use], [stop]], Part.ACTIVE: []}
    return "\n".join(lines), buttons[part]


def _lines(texts: Texts, model: Installed, chosen: Chosen, wanted: tuple[str, ...]) -> list[str]:
    part, figures = chosen.part_of(model), model.card.figures
    heading = texts(
        f"model.line.{part or 'idle'}",
        name=escape(model.name),
        modality=texts(f"modality.{model.card.modality}"),
    )
    return [heading, *(figure(texts, name, figures) for name in wanted if name in figures)]


def figure(texts: Texts, name: str, figures: Figures) -> str:
    """Tell a figure of a card with its 95 % interval; one without a name of ours keeps its own."""
    title = texts.known(f"figure.{name}", escape(name))
    value, low, high = figures[name]
    return texts(
        "model.figure", name=title, value=f"{value:.3f}", low=f"{low:.3f}", high=f"{high:.3f}"
    )
