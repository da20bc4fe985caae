"""A doctor takes a case, looks at it closely, or gives it back."""

from collections.abc import Callable

from telegram import Update

from bot.context import Context, Services
from bot.doctor import card, leases, pictures
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import say, send_file, show_album
from storage import audit, images, numbers, reviews
from storage.cases import Case
from storage.images import ImageKind
from storage.reviews import NotYours, Why
from storage.staff import Role
from storage.transaction import Tx

# What is done with a case the doctor holds, the keys of its words beginning as given.
Act = Callable[[Tx, Services, Acting, Case, str], None]


async def review(update: Update, context: Context) -> None:
    """Show the most urgent case, or the one that is named."""
    asked = " ".join(context.args or ())

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if asked:
            _open(tx, services, acting, asked, key)
        else:
            _next(tx, services, acting, key)

    await reply_as(Role.DOCTOR, update, context, reply)


async def show_next(update: Update, context: Context) -> None:
    """Go on to the most urgent case."""
    await answer_tap(update, context)
    await reply_as(Role.DOCTOR, update, context, _next)


async def with_case(update: Update, context: Context, act: Act) -> None:
    """Do something with the case of the button that was tapped, or say why not."""
    await answer_tap(update, context)
    number = tapped_value(update).partition(":")[0]

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        try:
            case = reviews.mine(tx, acting.member, number)
        except NotYours as refused:
            _refuse(tx, acting, number, refused.why, key)
        else:
            act(tx, services, acting, case, key)

    await reply_as(Role.DOCTOR, update, context, reply)


async def skip(update: Update, context: Context) -> None:
    """Leave a case to others and go on to the next."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        if not _in_hand(tx, acting, case):
            card.refresh(tx, acting, case, key)
            return
        reviews.skip(tx, acting.member, case)
        text = acting.texts("review.skipped", number=case.number)
        card.change(tx, acting.member, case, f"{key}:card", text)
        _next(tx, services, acting, key)

    await with_case(update, context, act)


async def release(update: Update, context: Context) -> None:
    """Give a case back to the queue."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        if not _in_hand(tx, acting, case):
            card.refresh(tx, acting, case, key)
            return
        reviews.release(tx, acting.member, case)
        text = acting.texts("review.released", number=case.number)
        card.change(tx, acting.member, case, key, text)

    await with_case(update, context, act)


async def zoom(update: Update, context: Context) -> None:
    """Send the scans of a case in all their pixels, as files."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        caption = acting.texts("card.original", number=case.number)
        for scan in images.of_case(tx, case.id, ImageKind.SCAN):
            name, build = f"{key}:{scan.id}", pictures.ORIGINAL
            send_file(tx, name, acting.chat, build, caption, case_id=case.id, image=scan.id)
        audit.record(tx, acting.member.actor, "original_shown", case.id)

    await with_case(update, context, act)


async def show_more(update: Update, context: Context) -> None:
    """Send the slices that decided, or all pictures of a case, as an album."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        caption = acting.texts("result.case", number=case.number)
        if more := card.album(tx, case.id):
            show_album(tx, key, acting.chat, pictures.MORE, more, caption, case_id=case.id)
        audit.record(tx, acting.member.actor, "album_shown", case.id)

    await with_case(update, context, act)


def _in_hand(tx: Tx, acting: Acting, case: Case) -> bool:
    """Tell whether no verdict rests on the case: one that does can only be taken back."""
    held = reviews.held(tx, acting.member)
    return held is not None and held.id == case.id


def _open(tx: Tx, services: Services, acting: Acting, asked: str, key: str) -> None:
    number = numbers.typed(asked)
    if number is None:
        say(tx, key, acting.chat, acting.texts("why.unknown", number=card.quoted(asked)))
        return
    leases.expire(tx, services)
    try:
        case = reviews.take(tx, acting.member, number, services.settings.lease)
    except NotYours as refused:
        say(tx, key, acting.chat, acting.texts(f"why.{refused.why}", number=number))
    else:
        card.show(tx, acting, case, key)


def _next(tx: Tx, services: Services, acting: Acting, key: str) -> None:
    leases.expire(tx, services)
    case = reviews.held(tx, acting.member)
    if case is None:
        case = reviews.take_next(tx, acting.member, services.settings.lease)
    if case is None:
        say(tx, key, acting.chat, acting.texts("review.none"))
    else:
        card.show(tx, acting, case, key)


def _refuse(tx: Tx, acting: Acting, number: str, why: Why, key: str) -> None:
    """Say in the place of the buttons why they do nothing."""
    text = acting.texts(f"why.{why}", number=number)
    if why is Why.UNKNOWN:
        # Its person was forgotten, and its number with them.
        say(tx, key, acting.chat, acting.texts("why.gone", number=number))
    else:
        card.change(tx, acting.member, reviews.by_number(tx, number), key, text)
