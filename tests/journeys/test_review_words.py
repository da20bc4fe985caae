"""Doctors at work: their comments, and what patients hear of them."""

from bot.sandbox.client import User

from .clinic import DOCTORS, POLLING, Clinic, says, takes
from .pictures import BACTERIAL, NORMAL, UNSURE, xray
from .stage import ADMIN

LEASE = 15 * 60_000_000


def told_of(clinic: Clinic) -> list[str]:
    """What the audit says of the ways answers went."""
    sql = "SELECT action FROM audit WHERE action GLOB '*deliver*' OR action = 'sent_again'"
    return [row["action"] for row in clinic.stage.rows(sql)]


async def heard_without_picture(clinic: Clinic, code: int) -> User:
    """Let a doctor answer somebody whom Telegram does not send the picture of the answer."""
    [doctor] = await clinic.opens(results="after_review")
    ann = await clinic.stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL), "scan.jpg")
    await ann.sees("Here a doctor looks")
    await clinic.stage.sim.quiet()
    await takes(doctor)
    await clinic.stage.sim.fault("sendPhoto", code=code, chat_id=1)
    await says(doctor, "Normal")
    await ann.sees("A doctor has looked at your picture")
    return ann


async def notes_normal(clinic: Clinic, doctor: User) -> None:
    """Have a doctor note a verdict on Ann's picture, and be asked for a comment."""
    await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await doctor.taps("Normal")
    await doctor.sees("You can add a comment")


@POLLING
class TestCommenting:
    async def test_what_is_no_comment_is_said_kindly(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await notes_normal(clinic, doctor)
        await doctor.sends_photo(xray())
        await doctor.sees("I am waiting for a comment")
        await doctor.says("x" * 501)
        await doctor.sees("501 characters; at most 500 fit")
        await doctor.says("😀" * 251)
        await doctor.sees("502 characters")
        await doctor.says("😀" * 250)
        await doctor.sees("Noted for case")
        await doctor.says("better this")
        await doctor.sees("With it the patient gets your comment:\nbetter this")
        await doctor.sees("editing the old one changes nothing")
        assert clinic.stage.value("SELECT count(*) FROM cases") == 1

    async def test_taking_a_question_back_leaves_the_doctors_own_picture_alone(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        await doctor.starts()
        await doctor.taps("I have read this and agree")
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await clinic.stage.sim.fault("download", delay=30)
        await doctor.sends_photo(xray(NORMAL, 7))
        await clinic.stage.sim.until(bool, "getFile")
        await doctor.taps("Bacterial pneumonia")
        await doctor.sees("You can add a comment")
        await doctor.says("/cancel")
        await doctor.sees("I no longer wait for your answer")
        await clinic.stage.sim.release()
        await clinic.stage.sim.quiet(1.2)
        assert clinic.stage.value("SELECT state FROM cases WHERE id = 2") == "answered"

    async def test_a_comment_taken_back_does_not_go_out_and_the_verdict_is_chosen_anew(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        await takes(doctor)
        await doctor.taps("Normal")
        await doctor.sees("editing your message later changes nothing")
        await doctor.says("healthy, no doubt")
        draft = await doctor.sees("With it the patient gets your comment")
        await doctor.says("/cancel")
        await doctor.sees(f"Your verdict on case {number} and any comment are dropped")
        card = await doctor.sees("Model ")
        assert card.id == draft.id and card.button("Send") is None
        assert clinic.stage.value("SELECT count(*) FROM opinions") == 0
        assert clinic.state(number) == "under_review"
        await says(doctor, "Viral pneumonia")
        assert "healthy" not in (await ann.sees("A doctor has looked")).text

    async def test_a_comment_that_comes_too_late_is_not_lost_silently(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await notes_normal(clinic, doctor)
        clinic.stage.change(
            "UPDATE cases SET state = 'answered', lease_worker = NULL, "
            "lease_until_at = NULL WHERE state = 'under_review'"
        )
        clinic.stage.change("UPDATE dialogs SET until_at = until_at - ?", LEASE)
        await doctor.says("too late")
        await doctor.sees("Your comment came too late")

    async def test_after_the_time_for_a_comment_a_doctors_own_picture_is_taken_in(
        self, clinic: Clinic
    ) -> None:
        await clinic.opens()
        doctor = await clinic.stage.agreed(DOCTORS[0])
        await notes_normal(clinic, doctor)
        await doctor.sends_photo(xray())
        await doctor.sees("I am waiting for a comment")
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        await doctor.says("/review")
        await doctor.taps("Release", await doctor.hears_photo())
        await clinic.stage.sim.quiet()
        await doctor.sends_photo(xray())
        await clinic.stage.sim.quiet()
        assert clinic.stage.value("SELECT count(*) FROM cases") == 2

    async def test_without_another_doctor_there_is_no_second_opinion(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await says(doctor, "Normal", button="Ask for a second opinion")
        await doctor.sees("There is no other doctor")
        await doctor.taps("Send")
        await doctor.sees("the patient was told: Normal")


@POLLING
class TestThePatient:
    async def test_asking_for_a_doctor_is_answered_honestly(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann, bob = await clinic.stage.agreed(1), await clinic.stage.agreed(2)
        number = await clinic.case(ann, NORMAL)
        answer = next(each for each in await ann.messages() if each.button("Ask a doctor"))
        await clinic.case(bob, BACTERIAL)
        await ann.taps("Ask a doctor", answer)
        await ann.sees("Cases ahead of it: 1.")
        await bob.taps("Ask a doctor")
        await bob.sees("No other case is ahead of it.")
        card = await takes(doctor, number)
        assert "The patient is waiting" in card.text
        await ann.taps("Ask a doctor", answer)
        await ann.sees("A doctor is looking at your picture right now")
        await says(doctor, "Normal")
        await ann.sees("A doctor has looked")
        await ann.taps("Ask a doctor", answer)
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 2

    async def test_asking_where_there_is_no_doctor_promises_nothing(self, clinic: Clinic) -> None:
        await clinic.opens(0)
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        await ann.taps("Ask a doctor")
        await ann.sees("There is no doctor on this bot at the moment")

    async def test_a_doctor_whom_nobody_reaches_is_not_promised(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens(results="after_review")
        await doctor.blocks()
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(xray(BACTERIAL), "scan.jpg")
        await ann.sees("Here a doctor looks before you get the answer, but there is no doctor")
        await clinic.stage.restart(results="immediate")
        await clinic.case(ann, NORMAL)
        await ann.taps("Ask a doctor")
        await ann.sees("There is no doctor on this bot at the moment")

    async def test_a_doctor_who_was_forgotten_is_promised_again_once_they_write(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        answer = next(each for each in await ann.messages() if each.button("Ask a doctor"))
        await doctor.says("/forget")
        await doctor.taps("Yes, erase everything")
        await doctor.sees("hear of waiting cases again once you have written to me")
        await ann.taps("Ask a doctor", answer)
        await ann.sees("There is no doctor on this bot at the moment")
        await doctor.says("/worklist")
        await clinic.stage.sim.quiet()
        await ann.taps("Ask a doctor", answer)
        await ann.sees("The doctors already have your picture")

    async def test_the_doctors_word_stands_in_history_and_comes_again(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        await takes(doctor)
        await says(doctor, "Other finding")
        await ann.sees("A doctor has looked")
        await ann.says("/history")
        await ann.sees("a doctor says: Other finding")
        await ann.sends_file(xray(BACTERIAL, 0), "scan.jpg")
        await ann.sees("You have sent this very picture before")
        await ann.hears_photo()
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 2

    async def test_a_deleted_case_vanishes_from_the_doctors_chat(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann, note="secret")
        card = await takes(doctor)
        answer = next(each for each in await ann.messages() if each.button("Delete this"))
        await ann.taps("Delete this", answer)
        await ann.taps("Yes, delete")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]
        await doctor.says(f"/review {number}")
        await doctor.sees(f"Case {number} is no longer here")
        assert clinic.stage.value("SELECT count(*) FROM review_queue") == 0
        assert card.photo

    async def test_an_album_vanishes_from_the_doctors_chat_with_all_its_pictures(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_album([xray(NORMAL, 1), xray(BACTERIAL, 2), xray(UNSURE, 3)])
        answers = [await ann.hears_photo() for _ in range(3)]
        await clinic.stage.sim.quiet()
        await takes(doctor)
        await doctor.taps("All 3 pictures")
        for _ in range(3):
            await doctor.hears_photo()
        await clinic.stage.sim.quiet()
        await ann.taps("Delete this", answers[0])
        await ann.taps("Yes, delete")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]

    async def test_who_is_forgotten_vanishes_from_the_doctors_chat(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann, note="secret")
        await takes(doctor)
        await doctor.taps("Normal")
        draft = await doctor.sees("Your verdict")
        await ann.says("/forget")
        await ann.taps("Yes, erase everything")
        await ann.sees("Everything is erased")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]
        await doctor.says("now a comment")
        await doctor.sees("Your comment came too late")
        assert draft.buttons and clinic.stage.value("SELECT count(*) FROM opinions") == 0

    async def test_a_patient_who_blocked_the_bot_is_reviewed_all_the_same(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        await ann.blocks()
        await takes(doctor)
        await says(doctor, "Normal")
        await doctor.sees("The patient has blocked the bot and has not heard it")
        await clinic.stage.sim.quiet()
        assert clinic.state(number) == "reviewed"
        assert told_of(clinic) == ["not_delivered"]
        await doctor.says(f"/case {number}")
        await doctor.sees("could not deliver an answer · blocked the bot")

        await ann.unblocks()
        heard = await ann.sees("A doctor has looked at your picture")
        assert number in heard.text
        await ann.starts()
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 1
        assert told_of(clinic) == ["not_delivered", "sent_again"]
        assert not any("has not heard the verdict" in each.text for each in await doctor.messages())

    async def test_a_doctor_told_too_early_is_corrected_and_whoever_writes_again_hears_it(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        # Of this block Telegram does not tell by itself.
        await clinic.stage.sim.fault("sendMessage", code=403, chat_id=1)
        await takes(doctor)
        await says(doctor, "Normal")
        await doctor.sees("the patient was told: Normal")
        await doctor.sees(f"Case {number}: the patient has blocked the bot and has not heard")
        assert told_of(clinic) == ["not_delivered"]
        await ann.says("/help")
        await ann.sees("A doctor has looked at your picture")
        await ann.sees("Send a chest X-ray")
        await ann.says("/help")
        await clinic.stage.sim.quiet()
        assert told_of(clinic) == ["not_delivered", "sent_again"]

    async def test_a_block_that_was_none_ends_with_what_arrives_and_nothing_is_lost(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        numbers = [await clinic.case(ann), await clinic.case(ann)]
        # It was on its way since before Ann let the bot in again.
        await clinic.stage.sim.fault("sendMessage", code=403, chat_id=1)
        await takes(doctor, numbers[0])
        await says(doctor, "Normal")
        await doctor.sees("the patient has blocked the bot and has not heard")
        await takes(doctor, numbers[1])
        await says(doctor, "Viral pneumonia")
        for number in reversed(numbers):
            await ann.sees(f"A doctor has looked at your picture (case {number})")
        assert clinic.stage.value("SELECT blocked_at FROM people WHERE telegram_id = 1") is None

    async def test_whoever_is_back_to_delete_something_else_hears_it_too(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        await clinic.case(ann)
        await ann.taps("Delete this")
        await clinic.stage.sim.quiet()
        await clinic.stage.sim.fault("sendMessage", code=403, chat_id=1)
        await takes(doctor, number)
        await says(doctor, "Normal")
        await doctor.sees("the patient has blocked the bot and has not heard")
        await ann.taps("Yes, delete")
        await ann.sees("A doctor has looked at your picture")

    async def test_whoever_is_back_gets_the_picture_too_that_never_came(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.stage.sim.fault("sendPhoto", code=403, chat_id=1)
        await ann.sends_file(xray(BACTERIAL), "scan.jpg")
        await clinic.stage.sim.until(bool, "sendPhoto")
        await ann.blocks()
        await clinic.stage.sim.quiet()
        await takes(doctor)
        await says(doctor, "Normal")
        await doctor.sees("has not heard it")
        await clinic.stage.sim.quiet()
        await ann.unblocks()
        await ann.sees("A doctor has looked at your picture")
        assert "the estimate of the program" in (await ann.hears_photo()).text
        assert told_of(clinic) == ["not_delivered", "not_delivered", "sent_again"]

    async def test_a_word_that_arrived_before_the_block_is_not_said_again_with_its_picture(
        self, clinic: Clinic
    ) -> None:
        ann = await heard_without_picture(clinic, 403)
        await clinic.stage.sim.quiet()
        await ann.says("/help")
        await ann.hears_photo()
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 1
        assert told_of(clinic) == ["not_delivered", "sent_again"]

    async def test_a_word_whose_picture_fails_is_not_followed_by_having_had_no_answer(
        self, clinic: Clinic
    ) -> None:
        ann = await heard_without_picture(clinic, 400)
        await ann.sees("a part of your answer could not be sent")
        await clinic.stage.sim.user(ADMIN).sees("a part of the answer could not be sent")
        assert not any("got no answer" in each.text for each in await ann.messages())
        # What they are told to do helps.
        await ann.sends_file(xray(BACTERIAL), "scan.jpg")
        await ann.hears_photo()
        await ann.sees("A doctor has looked at your picture")

    async def test_a_word_that_fails_beside_an_earlier_answer_is_told_as_a_part_of_it(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        await takes(doctor)
        await says(doctor, "Normal")
        await ann.sees("A doctor has looked at your picture")
        await clinic.stage.sim.fault("sendPhoto", delay=30, chat_id=1)
        await ann.sends_file(xray(BACTERIAL, 0), "scan.jpg")
        is_sent = "SELECT count(*) FROM outbox WHERE kind = 'photo' AND state = 'sending'"
        while not clinic.stage.value(is_sent):
            await clinic.stage.sim.quiet(0.02)
        await clinic.stage.sim.fault("sendMessage", code=400, chat_id=1)
        await clinic.stage.sim.release()
        await ann.hears_photo()
        await ann.sees("a part of your answer could not be sent")
        await clinic.stage.sim.user(ADMIN).sees("a part of the answer could not be sent")

    async def test_a_word_that_may_not_have_arrived_has_its_line(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await clinic.stage.sim.fault("sendMessage", drop=True, chat_id=1)
        await takes(doctor)
        await says(doctor, "Normal")
        await clinic.stage.sim.user(ADMIN).sees("may or may not have arrived")
        assert told_of(clinic) == ["delivery_unknown"]
