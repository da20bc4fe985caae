"""The tables as SQL, in the words of the migrations that made them, one file for each.

Times are microseconds since 1970 in UTC, in columns that end in `_at`. A person's own words stand
in `cases.note`, in `outbox.payload`, and where a doctor or an admin wrote them; nowhere else.
"""
