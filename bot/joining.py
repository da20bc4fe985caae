"""The link of an invitation: whoever comes with it first is a member of staff from then on."""

from html import escape

from telegram import Update

from bot.context import Context, Services
from bot.menus import role_changed
from bot.replies import reply_once
from bot.say import say
from storage import audit, staff
from storage.people import Person
from storage.staff import Member, Role
from storage.transaction import Tx

# Of a person here or of a clinic.
LONGEST_NAME = 80


async def join(update: Update, context: Context, token: str) -> bool:
    """Take the place that a token keeps, or say kindly why not; False if it is no invitation."""
    user = update.effective_user
    assert user is not None
    invitation = await context.storage.read(staff.invitation_of, token)
    if invitation is None:
        return False
    role = invitation.role
    username = f"@{user.username}" if user.username else "–"
    account = f"“{tidy(user.full_name)}” · {username} · {user.id}"

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts, chat = services.texts_of(person), person.telegram_id
        if staff.member(tx, chat, role) is not None:
            say(tx, key, chat, texts(f"invitation.held.{role}"))
        elif (new := staff.accept(tx, token, chat)) is None:
            say(tx, key, chat, texts("invitation.closed"))
        else:
            inviter = staff.get(tx, invitation.invited_by) if invitation.invited_by else None
            by = inviter.actor if inviter else audit.OPERATOR
            audit.record(tx, new.actor, "staff_joined", detail=by)
            say(tx, key, chat, texts(f"invitation.joined.{role}", name=escape(new.name)))
            sentence = "accepted" if inviter else "accepted_of_operator"
            for admin in [inviter] if inviter else staff.members(tx, Role.ADMIN):
                if admin.telegram_id != chat:
                    _tell(tx, services, admin, new, account, f"{key}:{sentence}", sentence)

    await reply_once(update, context, reply)
    await role_changed(context, user.id)
    return True


def tidy(name: str) -> str:
    """Leave out what could disturb the lines a name stands in."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def _tell(
    tx: Tx, services: Services, admin: Member, new: Member, account: str, key: str, sentence: str
) -> None:
    texts, name = services.texts_in(tx, admin.telegram_id), escape(new.name)
    text = texts(f"invitation.{sentence}.{new.role}", name=name, account=escape(account))
    # What somebody is called in Telegram is shown once and not kept.
    say(tx, f"{key}:{admin.id}", admin.telegram_id, text, fleeting=True)
