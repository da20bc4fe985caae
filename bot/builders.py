"""All files the bot makes on demand, by the name that outbox rows call them."""

from collections.abc import Mapping

from bot import redrawn
from bot.admin import audit, export, invitations, sources, stats
from bot.admin.broadcast import report
from bot.building import Builder
from bot.doctor import card, pictures
from bot.patient import my_data

BUILDERS: Mapping[str, Builder] = {
    my_data.BUILD: my_data.build,
    redrawn.BUILD: redrawn.build,
    card.BUILD: pictures.build_card,
    pictures.ORIGINAL: pictures.build_original,
    pictures.MORE: pictures.build_more,
    invitations.BUILD: invitations.build,
    audit.BUILD: audit.build,
    sources.BUILD: sources.build,
    stats.BUILD: stats.build,
    report.BUILD: report.build,
    export.BUILD_ARCHIVE: export.build_archive,
    export.BUILD_FOLDER: export.build_folder,
}
