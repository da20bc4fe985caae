"""All files the bot makes on demand, by the name that outbox rows call them."""

from collections.abc import Mapping

from bot.building import Builder
from bot.patient import my_data

BUILDERS: Mapping[str, Builder] = {
    my_data.BUILD: my_data.build,
}
