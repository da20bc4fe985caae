"""Inviting doctors and admins by a link that works once; of its token only the hash stays."""

import asyncio
from datetime import timedelta
from html import escape

from telegram import Update
from telegram.helpers import create_deep_linked_url

from bot.building import Built
from bot.context import Context, Services
from bot.joining import LONGEST_NAME, tidy
from bot.poster import qr_png
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import say, show_made
from bot.times import told
from storage import audit, dialogs, staff
from storage.dialogs import Dialog
from storage.outbox import OutRow
from storage.staff import Role
from storage.transaction import Tx

INVITE, WITHDRAW = "staff_invite", "staff_withdraw"
ASKED = "admin:invite"
BUILD = "invitation"
TIME_TO_ANSWER = timedelta(minutes=30)
# Pixels; large enough to be scanned from another screen.
CODE_SIDE = 720


async def ask_name(update: Update, context: Context) -> None:
    """Ask for the name of who is to be invited."""
    await answer_tap(update, context)
    role = Role(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        dialogs.begin(tx, acting.chat, ASKED, {"role": role}, TIME_TO_ANSWER)
        say(tx, key, acting.chat, acting.texts(f"invitation.name.{role}"))

    await reply_as(Role.ADMIN, update, context, reply)


async def take_name(update: Update, context: Context, dialog: Dialog) -> None:
    """Make the invitation and send its link, in words and as a code to scan."""
    assert update.effective_message is not None
    name = tidy(update.effective_message.text or "")
    role = Role(str(dialog.payload["role"]))
    username = context.bot.username

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        if not 1 <= len(name) <= LONGEST_NAME:
            say(tx, key, acting.chat, texts("invitation.name_again", longest=LONGEST_NAME))
            return
        dialogs.end(tx, acting.chat)
        length = timedelta(hours=services.settings.invitation_hours)
        token = staff.invite(tx, role, name, acting.member, length)
        audit.record(tx, acting.member.actor, "staff_invited", detail=role)
        link = create_deep_linked_url(username, token)
        until = told(services.settings, tx.time + length, texts.language)
        caption = texts(f"invitation.link.{role}", name=escape(name), link=link, until=until)
        show_made(tx, key, acting.chat, BUILD, caption, fleeting=True, link=link)

    await reply_as(Role.ADMIN, update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Draw the code of the link that a row holds."""
    code = await asyncio.to_thread(qr_png, str(row.payload["link"]), CODE_SIDE)
    return Built(code, "invitation.png")


async def withdraw(update: Update, context: Context) -> None:
    """Let an invitation work no more."""
    await answer_tap(update, context)
    invitation_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        invitation = staff.invitation(tx, invitation_id)
        if staff.withdraw(tx, invitation_id):
            actor, role = acting.member.actor, invitation.role
            audit.record(tx, actor, "invitation_withdrawn", detail=role)
        used = invitation.used_by is not None
        sentence = "invitation.too_late" if used else "invitation.withdrawn"
        say(tx, key, acting.chat, acting.texts(sentence, name=escape(invitation.name)))

    await reply_as(Role.ADMIN, update, context, reply)
