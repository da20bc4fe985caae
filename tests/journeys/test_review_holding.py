"""Doctors at work: who holds which case."""

from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, NORMAL
from .stage import ADMIN


@POLLING
class TestHoldingACase:
    async def test_two_doctors_get_different_cases(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        assert sick in (await takes(first)).text
        await second.says(f"/review {sick.lower()}")
        told = await second.sees("Another doctor has case")
        assert "Dr." not in told.text
        assert healthy in (await takes(second)).text
        holders = clinic.stage.rows("SELECT DISTINCT lease_worker FROM cases")
        assert len(holders) == 2

    async def test_review_again_shows_the_case_in_hand_and_only_one_card(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number, other = await clinic.case(ann), await clinic.case(ann)
        card = await takes(doctor, number)
        again = await takes(doctor)
        assert number in again.text
        await doctor.says(f"/review {other}")
        await doctor.sees("You have another case in hand")
        await clinic.stage.sim.quiet()
        cards = [each.id for each in await doctor.messages() if each.photo]
        assert cards == [again.id] != [card.id]

    async def test_a_card_that_did_not_go_out_yet_gives_way_to_the_next(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await clinic.stage.sim.fault("sendPhoto", code=500, chat_id=71, times=1)
        await doctor.says("/review")
        await clinic.stage.sim.until(lambda calls: len(calls) > 1, "sendPhoto")
        await takes(doctor)
        await clinic.stage.sim.quiet(1.5)
        assert len([each for each in await doctor.messages() if each.photo]) == 1

    async def test_a_verdict_on_a_case_taken_over_is_refused_with_words(
        self, clinic: Clinic
    ) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        # What the buttons do when the chat could not be told in time.
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=2)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        taken = await takes(second)
        assert number in taken.text
        await clinic.stage.sim.quiet()
        await first.taps("Normal", card)
        await clinic.stage.sim.quiet()
        assert clinic.stage.value("SELECT count(*) FROM opinions") == 0
        await says(second, "Normal")
        await second.sees("the patient was told")
        await first.taps("Viral pneumonia", card)
        await first.sees(f"Case {number} is reviewed")

    async def test_a_doctor_who_blocked_the_bot_is_not_waited_for(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        ann = await clinic.stage.agreed(1)
        number, later = await clinic.case(ann), await clinic.case(ann)
        await takes(first, number)
        await says(first, "Normal", button="Ask for a second opinion")
        await first.sees("Another doctor is asked now")
        await second.blocks()
        await clinic.stage.sim.quiet()
        # Whoever looks for work has the stranded ones put before the admins.
        await takes(first, later)
        await clinic.stage.sim.user(ADMIN).sees(f"The doctors do not agree on case {number}")
        await says(first, "Normal", button="Ask for a second opinion")
        await first.sees("There is no other doctor who could look")

    async def test_a_tap_on_a_case_of_another_says_so(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        await takes(second)
        await clinic.stage.sim.quiet()
        await first.taps("Normal", card)
        await first.sees(f"Another doctor has case {number} now")

    async def test_a_case_whose_time_is_up_goes_back_and_says_so(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(first)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        await takes(second)
        await first.sees(f"Your time for case {number} was up")
        # Keys that begin so are of what goes last.
        sql = "SELECT count(*) FROM outbox WHERE key GLOB 'expired*' OR key GLOB 'broadcast:*'"
        assert clinic.stage.value(sql) == 0

    async def test_skip_goes_on_and_release_lets_go(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        assert sick in (await takes(first)).text
        await first.taps("Skip")
        await first.sees(f"Case {sick}: skipped")
        assert healthy in (await first.hears_photo()).text
        await first.taps("Release")
        await first.sees(f"Case {healthy} is back in the queue")
        assert sick in (await takes(second)).text
        assert healthy in (await takes(first)).text

    async def test_taps_in_a_row_do_no_more_than_one(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens(undo_seconds=60)
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=1)
        for _ in range(2):
            await doctor.taps("Bacterial pneumonia")
        draft = await doctor.sees("Your verdict:")
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=1)
        for _ in range(2):
            await doctor.taps("Send", draft)
        await doctor.sees("This counts in 60 seconds")
        await clinic.stage.sim.quiet()
        assert clinic.state(number) == "under_review"
        assert [row[0] for row in clinic.stage.rows("SELECT state FROM opinions")] == ["given"]
        given = clinic.stage.value("SELECT count(*) FROM audit WHERE action = 'verdict_given'")
        assert given == 1

    async def test_the_next_case_can_be_taken_before_the_last_is_final(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens(undo_seconds=60)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        await takes(doctor, sick)
        await says(doctor, "Normal")
        given = await doctor.sees("This counts in 60 seconds")
        await doctor.taps("Next case", given)
        assert healthy in (await doctor.hears_photo()).text
        await doctor.taps("Take back", given)
        await doctor.sees("Taken back")
        assert (clinic.state(sick), clinic.state(healthy)) == ("answered", "under_review")

    async def test_a_case_whose_verdict_can_be_taken_back_is_shown_with_that_button(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens(undo_seconds=600)
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await says(doctor, "Normal")
        await doctor.sees("This counts in 600 seconds")
        clinic.stage.change("UPDATE opinions SET final_at = final_at - 300000000")
        given = await takes(doctor, number)
        assert "This counts in 600 seconds" not in given.text
        await doctor.taps("Take back", given)
        await doctor.sees("Your verdict: Normal")

    async def test_a_doctor_never_gets_their_own_case(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await doctor.starts()
        await doctor.taps("I have read this and agree")
        number = await clinic.case(doctor)
        await doctor.says("/review")
        await doctor.sees("Nothing is waiting for you")
        for command in ("/review", "/case"):
            await doctor.says(f"{command} {number}")
            await doctor.sees(f"Case {number} is your own")
        assert clinic.state(number) == "answered"

    async def test_numbers_that_are_none_are_said_so(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        for number in ("1234", "<b>", "K7Q29FXM"):
            await doctor.says(f"/review {number}")
            await doctor.sees(f"There is no case {number}")
        for command in ("/review", "/case"):
            await doctor.says(f"{command} {'x' * 4000}")
            await doctor.sees(f"There is no case {'x' * 40}….")

    async def test_a_revoked_doctor_sees_no_case(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        boss = clinic.stage.sim.user(ADMIN)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        await boss.says("/staff")
        await boss.taps("End: Dr. <71>")
        await boss.taps("Yes, end it")
        await first.sees("Your role as a doctor here has ended")
        await first.taps("Full resolution", card)
        assert (await first.sees_toast()).text == "This button no longer works."
        await first.says("/review")
        await first.sees("I do not know this command")
        assert number in (await takes(second)).text
