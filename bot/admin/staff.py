"""Who works here: the list, and the end of a role."""

from html import escape

from telegram import Update

from bot.admin.invitations import INVITE, WITHDRAW
from bot.context import Context, Services
from bot.menus import role_changed
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say
from bot.texts.catalogue import Texts
from bot.times import local, told
from storage import audit, staff
from storage.staff import Invitation, LastAdmin, Member, Role
from storage.transaction import Tx

PAGE, REVOKE, REVOKE_SURE, KEEP = "staff", "staff_revoke", "staff_revoke_sure", "staff_keep"
LINES = 10

# A line of the list, and the button that ends what it tells of.
Entry = tuple[str, tuple[str, str]]


async def show(update: Update, context: Context) -> None:
    """List who holds a role and who is invited to one."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        text, buttons = _page(tx, services, acting, 0)
        say(tx, key, acting.chat, text, buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def turn(update: Update, context: Context) -> None:
    """Show another page of the list in the place of this one."""
    await answer_tap(update, context)
    first = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        edit_here(tx, key, update, *_page(tx, services, acting, first))

    await reply_as(Role.ADMIN, update, context, reply)


def _page(tx: Tx, services: Services, acting: Acting, first: int) -> tuple[str, Buttons]:
    texts = acting.texts
    entries = [_member(services, acting, each) for each in staff.members(tx)]
    entries += [_invitation(services, texts, each) for each in staff.open_invitations(tx)]
    shown = entries[first : first + LINES]
    turns = []
    if first > 0:
        turns.append((texts("page.newer"), f"{PAGE}:{max(first - LINES, 0)}"))
    if first + LINES < len(entries):
        turns.append((texts("page.older"), f"{PAGE}:{first + LINES}"))
    buttons = [
        [(texts("staff.invite_doctor"), f"{INVITE}:{Role.DOCTOR}")],
        [(texts("staff.invite_admin"), f"{INVITE}:{Role.ADMIN}")],
        *([button] for _, button in shown),
        *([turns] if turns else []),
    ]
    return "\n".join([texts("staff.title"), *(line for line, _ in shown)]), buttons


def _member(services: Services, acting: Acting, member: Member) -> Entry:
    texts = acting.texts
    role = texts(f"role.{member.role}")
    sentence = "staff.you" if member.telegram_id == acting.chat else "staff.member"
    since = f"{local(services.settings, member.since_at):%Y-%m-%d}"
    line = texts(sentence, name=escape(member.name), role=role, since=since)
    return line, (texts("staff.revoke", name=member.name, role=role), f"{REVOKE}:{member.id}")


def _invitation(services: Services, texts: Texts, invitation: Invitation) -> Entry:
    line = texts(
        "staff.invited",
        name=escape(invitation.name),
        role=texts(f"role.{invitation.role}"),
        until=told(services.settings, invitation.expires_at, texts.language),
    )
    return line, (texts("staff.withdraw", name=invitation.name), f"{WITHDRAW}:{invitation.id}")


async def ask_to_revoke(update: Update, context: Context) -> None:
    """Ask whether somebody's role is really to end."""
    await answer_tap(update, context)
    member_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, member = acting.texts, staff.get(tx, member_id)
        name, role = escape(member.name), texts(f"role.{member.role}")
        if member.revoked_at is not None:
            say(tx, key, acting.chat, texts("staff.gone"))
        elif staff.is_last_admin(tx, member):
            say(tx, key, acting.chat, texts("staff.last_admin", name=name))
        else:
            own = member.telegram_id == acting.chat
            question = (
                texts("staff.sure_yourself", role=role)
                if own
                else texts(f"staff.sure.{member.role}", name=name)
            )
            yes = texts("staff.yes_yourself" if own else "staff.yes")
            buttons = [[(yes, f"{REVOKE_SURE}:{member.id}")], [(texts("button.no"), f"{KEEP}:")]]
            say(tx, key, acting.chat, question, buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def revoke(update: Update, context: Context) -> None:
    """End somebody's role at once and tell them."""
    await answer_tap(update, context)
    member_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        member = staff.get(tx, member_id)
        name = escape(member.name)
        try:
            ended = staff.revoke(tx, member_id)
        except LastAdmin:
            edit_here(tx, key, update, acting.texts("staff.last_admin", name=name))
            return
        edit_here(tx, key, update, acting.texts(f"staff.ended.{member.role}", name=name))
        if ended:
            audit.record(tx, acting.member.actor, "staff_revoked", detail=member.actor)
            texts = services.texts_in(tx, member.telegram_id)
            say(tx, f"{key}:told", member.telegram_id, texts(f"staff.revoked.{member.role}"))

    await reply_as(Role.ADMIN, update, context, reply)
    member = await context.storage.read(staff.get, member_id)
    await role_changed(context, member.telegram_id)
