"""One case from its arrival to now, for a doctor: no patient's identity, no opinion too early."""

from collections.abc import Iterator
from datetime import datetime
from html import escape
from operator import itemgetter
from zoneinfo import ZoneInfo

from telegram import Update

from bot.acts import Words
from bot.context import Context, Services
from bot.doctor.card import estimate, fitted, quoted, units
from bot.doctor.worklist import zone_of
from bot.replies import Acting, reply_as
from bot.say import say
from storage import audit, history, numbers, opinions, people, reviews
from storage.cases import Case, CaseState
from storage.opinions import Opinion
from storage.reviews import NotYours, Why
from storage.staff import Role
from storage.transaction import Tx

# Telegram takes texts of 4096 units: the newest lines of a long history stay.
LONGEST = 4096
MOST_LINES = 30
LONGEST_NOTE = 800


async def show(update: Update, context: Context) -> None:
    """Tell the whole history of the case that is named."""
    asked = " ".join(context.args or ())

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        number = numbers.typed(asked)
        if not asked:
            say(tx, key, acting.chat, acting.texts("case.which"))
            return
        try:
            case = reviews.by_number(tx, number or "")
            if reviews.is_of(tx, case, acting.member):
                raise NotYours(Why.OWN)
            if case.person_id is not None and not people.consents(tx, case.person_id):
                raise NotYours(Why.UNFINISHED)
        except NotYours as refused:
            text = acting.texts(f"why.{refused.why}", number=number or quoted(asked))
            say(tx, key, acting.chat, text)
            return
        audit.record(tx, acting.member.actor, "history_shown", case.id)
        say(tx, key, acting.chat, _told(tx, services, acting, case), case_id=case.id)

    await reply_as(Role.DOCTOR, update, context, reply)


def _told(tx: Tx, services: Services, acting: Acting, case: Case) -> str:
    texts, zone = acting.texts, zone_of(tx, services, acting.member)
    words = Words.of(tx, texts)
    state = texts(f"state.{case.state}")
    parts = [texts("case.title", number=case.number, state=state, zone=zone.key)]
    if case.note:
        parts.append(texts("card.note", note=escape(fitted(case.note, LONGEST_NOTE))))
    parts += [estimate(texts, each) for each in history.findings(tx, case.id)]
    said = opinions.final_of(tx, case.id)
    has_judged = acting.chat in reviews.seen_by(tx, case.id)
    blind = case.state is not CaseState.REVIEWED and not has_judged
    if blind and said:
        parts.append(texts("case.blind", count=len(said)))
    else:
        parts += [_opinion(words, zone, each) for each in said]
    told = [*_events(tx, words, case), *_acts(tx, words, case, blind)]
    # By time alone: what happened at once stays as it was written down.
    lines = sorted(told, key=itemgetter(0))[-MOST_LINES:]
    written = [f"{_clock(at, zone)} {text}" for at, text in lines]
    while written and units("\n".join([*parts, *written])) > LONGEST:
        written.pop(0)
    return "\n".join([*parts, *written])


def _opinion(words: Words, zone: ZoneInfo, opinion: Opinion) -> str:
    assert opinion.given_at is not None
    line = words.texts(
        "case.opinion",
        when=_clock(opinion.given_at, zone),
        who=escape(words.who(f"{Role.DOCTOR}:{opinion.doctor_id}")),
        verdict=words.texts(f"verdict.{opinion.verdict}"),
    )
    if opinion.comment is None:
        return line
    return f"{line}\n<blockquote>{escape(opinion.comment)}</blockquote>"


def _events(tx: Tx, words: Words, case: Case) -> Iterator[tuple[datetime, str]]:
    for event in history.events(tx, case.id):
        what = words.texts(f"event.{event.step}")
        if event.detail:
            why = escape(words.why(event.step, event.detail))
            what = words.texts("case.because", what=what, why=why)
        yield event.at, what


def _acts(tx: Tx, words: Words, case: Case, blind: bool) -> Iterator[tuple[datetime, str]]:
    for line in audit.of_case(tx, case.id):
        detail = "" if blind else words.detail(line.detail)
        parts = filter(None, (words.who(line.actor), words.what(line.action), detail))
        yield line.at, escape(" · ".join(parts))


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
