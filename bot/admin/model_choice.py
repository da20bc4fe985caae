"""Giving a model a part: to answer the patients, or to listen in unseen."""

from html import escape

from telegram import Update

from bot import notices
from bot.context import Context, Services
from bot.models import UNUSABLE
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import edit_here
from bot.texts.catalogue import Texts
from classifier.card import BrokenModel
from classifier.engines import EngineDown
from classifier.labels import Modality
from classifier.model import Model, build_name
from storage import audit, models
from storage.models import Choice, Part
from storage.staff import Role
from storage.transaction import Tx

USE, USE_SURE, KEEP = "model_use", "model_use_sure", "model_keep"
LISTEN, STOP, COMPARE = "model_listen", "model_stop", "model_compare"
LONGEST_WHY = 150


async def ask(update: Update, context: Context) -> None:
    """Ask whether a model is really to answer the patients."""
    await answer_tap(update, context)
    digest = tapped_value(update)
    found = await context.services.models.installed()

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        model = found.by_digest(digest)
        if model is None:
            edit_here(tx, key, update, texts("model.gone"))
            return
        now = models.current(tx, Part.ACTIVE).get(model.card.modality)
        question = texts("model.sure", name=escape(model.name), now=name_of(now))
        yes = (texts("model.yes"), f"{USE_SURE}:{digest}")
        no = (texts("button.no"), f"{KEEP}:")
        edit_here(tx, key, update, question, [[yes], [no]])

    await reply_as(Role.ADMIN, update, context, reply)


async def use(update: Update, context: Context) -> None:
    """Let a model answer the patients from now on; what is under way ends as it began."""
    _give(update, context, Part.ACTIVE)


async def listen(update: Update, context: Context) -> None:
    """Let a model look, unseen, at what patients are answered."""
    _give(update, context, Part.SHADOW)


async def stop(update: Update, context: Context) -> None:
    """Let nobody listen in any more; another choice may take its time before."""
    context.application.create_task(_stop(update, context), update)


async def _stop(update: Update, context: Context) -> None:
    await answer_tap(update, context)
    modality = tapped_value(update)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        ended = models.end_shadow(tx, modality, acting.member)
        if ended:
            audit.record(tx, acting.member.actor, "model_shadow_ended", detail=modality)
        edit_here(tx, key, update, acting.texts("model.stopped"))

    async with context.services.models.changing:
        await reply_as(Role.ADMIN, update, context, reply)
        await context.services.models.follow()


async def begin(services: Services) -> None:
    """Use what was chosen before; of what cannot be used the admins hear."""
    lost = await services.models.follow()
    await services.storage.write(_settle, services, lost)


def name_of(choice: Choice | None) -> str:
    """Name the build that has a part."""
    return escape(build_name(choice.name, choice.digest)) if choice else "–"


def _give(update: Update, context: Context, part: Part) -> None:
    """Load and give; no other update waits for it, nor for a server that does not answer."""
    context.application.create_task(_load_and_give(update, context, part), update)


async def _load_and_give(update: Update, context: Context, part: Part) -> None:
    await answer_tap(update, context)
    service = context.services.models
    async with service.changing:
        model, refusal = None, None
        try:
            model = await service.load(tapped_value(update))
        except UNUSABLE as error:
            refusal = error

        def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
            if model is None:
                text = why_not(acting.texts, refusal)
            else:
                text = _choose(tx, acting, part, model)
            edit_here(tx, key, update, text)

        await reply_as(Role.ADMIN, update, context, reply)
        await service.follow(model)


def _choose(tx: Tx, acting: Acting, part: Part, model: Model) -> str:
    """Write the choice down, unless it is so already; gives what to say."""
    texts, by, modality = acting.texts, acting.member, model.card.modality
    name = escape(model.name)
    active, shadow = (models.current(tx, each).get(modality) for each in Part)
    if active is not None and active.digest == model.digest:
        return texts("model.answers_already", name=name)
    is_shadow = shadow is not None and shadow.digest == model.digest
    if part is Part.SHADOW and is_shadow:
        return texts("model.listens_already", name=name)
    models.choose(tx, part, modality, model.card.name, model.digest, by)
    audit.record(tx, by.actor, f"model_{part}", detail=model.name)
    if is_shadow:
        models.end_shadow(tx, modality, by)
    return texts(f"model.chosen.{part}", name=name)


def _settle(tx: Tx, services: Services, lost: list[Choice]) -> None:
    """Write down what answers since this start, and tell of what does not."""
    used = services.models.active.models
    for choice in lost:
        if choice.part is Part.ACTIVE and choice.by_id is None:
            # What nobody chose gives way by itself, after an upgrade.
            continue
        now = used.get(Modality(choice.modality))
        if choice.part is Part.SHADOW:
            models.end_shadow(tx, choice.modality, None)
        notices.tell(
            tx,
            services,
            Role.ADMIN,
            f"model_lost:{choice.id}",
            f"model.lost.{choice.part}",
            name=name_of(choice),
            now=escape(now.name) if now else "–",
        )
        audit.record(tx, audit.SYSTEM, "model_lost", detail=f"{choice.part} {choice.name}")
    chosen = models.current(tx, Part.ACTIVE)
    for modality, model in used.items():
        choice_now = chosen.get(modality)
        if choice_now is None or choice_now.digest != model.digest:
            models.choose(tx, Part.ACTIVE, modality, model.card.name, model.digest, None)
            audit.record(tx, audit.SYSTEM, "model_active", detail=model.name)


def why_not(texts: Texts, error: Exception | None) -> str:
    """Say why a model gets no part."""
    if isinstance(error, BrokenModel):
        why = texts(f"model.flaw.{error.flaw}")
        return texts("model.refused", why=why, detail=escape(str(error)[:LONGEST_WHY]))
    return texts("model.no_answer" if isinstance(error, EngineDown) else "model.gone")
