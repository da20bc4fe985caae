"""What doctors hear without asking: each morning how much waits, and what waits too long."""

import unicodedata
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from telegram import Update

from bot.context import Context, Services
from bot.doctor.worklist import waiting_lines
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say
from bot.settings import ZONES
from bot.texts.catalogue import Texts
from storage import doctors, staff
from storage.doctors import Preferences
from storage.staff import Member, Role
from storage.transaction import Tx

TURN = "digest"


async def show(update: Update, context: Context) -> None:
    """Show a doctor's wishes, changed first if they say how: an hour, quiet hours, a time zone."""
    asked = " ".join(context.args or ())

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        wanted = _wishes(tx, services, acting.member)
        changed = changed_by(wanted, asked) if asked else wanted
        if changed is None:
            say(tx, key, acting.chat, acting.texts("digest.how"))
            return
        if changed.zone != wanted.zone:
            changed = moved(changed, tx.time)
        if asked:
            doctors.prefer(tx, acting.member.id, changed)
        say(tx, key, acting.chat, *_page(acting.texts, changed))

    await reply_as(Role.DOCTOR, update, context, reply)


async def turn(update: Update, context: Context) -> None:
    """Turn all of it on or off."""
    await answer_tap(update, context)
    on = tapped_value(update) == "on"

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        changed = replace(_wishes(tx, services, acting.member), news=on)
        doctors.prefer(tx, acting.member.id, changed)
        edit_here(tx, key, update, *_page(acting.texts, changed))

    await reply_as(Role.DOCTOR, update, context, reply)


def changed_by(wanted: Preferences, asked: str) -> Preferences | None:
    """Read `7`, `22-6` or `Europe/Berlin`; None for anything else."""
    asked = unicodedata.normalize("NFKC", asked)
    zones = {name.lower(): name for name in ZONES}
    if zone := zones.get(asked.strip().lower().replace(" ", "_")):
        return replace(wanted, zone=zone)
    hours = [part.strip() for part in asked.replace("–", "-").split("-")]
    if not all(part.isdecimal() and int(part) < 24 for part in hours):
        return None
    match [int(part) for part in hours]:
        case [hour]:
            return replace(wanted, hour=hour)
        case [start, end]:
            return replace(wanted, quiet_from=start, quiet_until=end)
    return None


def moved(wanted: Preferences, now: datetime) -> Preferences:
    """Begin anew in a new zone: a morning still to come there brings its digest, a past one none.

    There it may be another day than that of the last digest.
    """
    local = now.astimezone(ZoneInfo(wanted.zone))
    return replace(wanted, digested_on=local.date() if local.hour > wanted.hour else None)


async def send_digests(services: Services) -> None:
    """Tell each doctor once a day, in their morning, what waits; late if the bot was off."""
    await services.storage.write(_send_digests, services)
    services.wake.outbox.set()


async def send_reminders(services: Services) -> None:
    """Tell doctors, not in their quiet hours, of cases that wait too long: of each case once."""
    await services.storage.write(_send_reminders, services)
    services.wake.outbox.set()


def is_due(wanted: Preferences, now: datetime) -> bool:
    """Tell whether the digest of the day is to be sent; a late one keeps the quiet hours."""
    local = now.astimezone(ZoneInfo(wanted.zone))
    late = local.hour > wanted.hour and not wanted.is_quiet(local.hour)
    return wanted.digested_on != local.date() and (local.hour == wanted.hour or late)


def _send_digests(tx: Tx, services: Services) -> None:
    for doctor in staff.reachable(tx, Role.DOCTOR):
        wanted = _wishes(tx, services, doctor)
        if not wanted.news or not is_due(wanted, tx.time):
            continue
        day = tx.time.astimezone(ZoneInfo(wanted.zone)).date()
        texts = services.texts_in(tx, doctor.telegram_id)
        lines = [texts("digest.daily"), *waiting_lines(tx, services, texts), texts("digest.act")]
        # Not by the day, which a doctor who travels westwards has twice.
        key = f"digest:{doctor.id}:{tx.time.timestamp()}"
        say(tx, key, doctor.telegram_id, "\n".join(lines))
        doctors.prefer(tx, doctor.id, replace(wanted, digested_on=day))


def _send_reminders(tx: Tx, services: Services) -> None:
    hours, until = services.settings.service_level_hours, tx.time - services.settings.service_level
    for doctor in staff.reachable(tx, Role.DOCTOR):
        wanted = _wishes(tx, services, doctor)
        local = tx.time.astimezone(ZoneInfo(wanted.zone))
        if not wanted.news or wanted.is_quiet(local.hour):
            continue
        if count := doctors.remind(tx, doctor, wanted, until):
            text = services.texts_in(tx, doctor.telegram_id)("reminder", count=count, hours=hours)
            say(tx, f"reminder:{doctor.id}:{until.timestamp()}", doctor.telegram_id, text)


def _wishes(tx: Tx, services: Services, doctor: Member) -> Preferences:
    return doctors.preferences(tx, doctor.id, services.settings.time_zone)


def _page(texts: Texts, wanted: Preferences) -> tuple[str, Buttons]:
    if not wanted.news:
        return texts("digest.is_off"), [[(texts("digest.turn_on"), f"{TURN}:on")]]
    text = texts(
        "digest.is_on",
        hour=f"{wanted.hour}:00",
        zone=wanted.zone,
        quiet_from=f"{wanted.quiet_from}:00",
        quiet_until=f"{wanted.quiet_until}:00",
    )
    return f"{text}\n\n{texts('digest.how')}", [[(texts("digest.turn_off"), f"{TURN}:off")]]
