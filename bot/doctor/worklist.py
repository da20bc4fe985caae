"""How much waits, and what a doctor has done."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta
from telegram import Update

from bot.context import Context, Services
from bot.replies import Acting, reply_as
from bot.say import say
from bot.texts.catalogue import Texts
from storage import doctors, reviews
from storage.staff import Member, Role
from storage.transaction import Tx

MONTH = timedelta(days=30)


async def show(update: Update, context: Context) -> None:
    """Tell what waits, and what the doctor has in hand."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, held = acting.texts, reviews.held(tx, acting.member)
        lines = [texts("worklist.title"), *waiting_lines(tx, services, texts)]
        if held is None or held.lease_until_at is None:
            lines.append(texts("worklist.nothing_held"))
        else:
            until = held.lease_until_at.astimezone(zone_of(tx, services, acting.member))
            lines.append(texts("worklist.held", number=held.number, until=f"{until:%H:%M}"))
        say(tx, key, acting.chat, "\n".join(lines))

    await reply_as(Role.DOCTOR, update, context, reply)


def waiting_lines(tx: Tx, services: Services, texts: Texts) -> list[str]:
    """Tell of the queue, a line for each thing worth saying."""
    waiting = reviews.waiting(tx, services.settings.service_level)
    if waiting.since is None:
        lines = [texts("worklist.none")]
    else:
        oldest = format_timedelta(tx.time - waiting.since, locale=texts.language)
        lines = [texts("worklist.waiting", count=waiting.count, oldest=oldest)]
    if waiting.overdue:
        hours = services.settings.service_level_hours
        lines.append(texts("worklist.overdue", count=waiting.overdue, hours=hours))
    if waiting.disputed:
        lines.append(texts("worklist.disputed", count=waiting.disputed))
    return lines


async def show_stats(update: Update, context: Context) -> None:
    """Tell a doctor what they have done, and how often the model agreed."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, zone = acting.texts, zone_of(tx, services, acting.member)
        local = tx.time.astimezone(zone)
        today = datetime(local.year, local.month, local.day, tzinfo=zone)
        done = doctors.done(tx, acting.member.id, today, tx.time - MONTH)
        counts = {"today": done.today, "month": done.month, "all": done.all}
        lines = [texts("mystats.title"), texts("mystats.counts", **counts)]
        if done.agreed.whole:
            low, high = done.agreed.interval()
            lines.append(
                texts(
                    "mystats.agreed",
                    part=done.agreed.part,
                    whole=done.agreed.whole,
                    share=f"{done.agreed.part / done.agreed.whole:.0%}",
                    low=f"{low:.0%}",
                    high=f"{high:.0%}",
                )
            )
        if done.seconds is not None:
            lines.append(texts("mystats.seconds", seconds=round(done.seconds)))
        say(tx, key, acting.chat, "\n".join(lines))

    await reply_as(Role.DOCTOR, update, context, reply)


def zone_of(tx: Tx, services: Services, doctor: Member) -> ZoneInfo:
    """Give the time zone a doctor reads times in."""
    return ZoneInfo(doctors.preferences(tx, doctor.id, services.settings.time_zone).zone)
