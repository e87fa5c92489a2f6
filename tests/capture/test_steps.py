"""What counts as a step, decided from marks alone."""

from __future__ import annotations

from perfkit.capture.steps import Leader, StepFinder


class Told:
    """A listener that writes down what it was told: b(egin), e(nd), p(ause), r(estart)."""

    def __init__(self, region=None):
        self.word = ""
        self.finder = StepFinder(self, region)
        self._now = 0

    def begin(self, now):
        self.word += "b"

    def end(self, now):
        self.word += "e"

    def pause(self):
        self.word += "p"

    def restart(self):
        self.word += "r"

    def play(self, marks):
        """n(ext batch), x (data exhausted), f(orward), g(rad-free forward), h (of another module),
        B(ackward), o, 2 (optimizers),
        O (an optimizer is made), s(tep), [ and ] (region)."""
        finder = self.finder
        for mark in marks.replace(" ", ""):
            self._now += 1
            now = self._now
            if mark == "n":
                finder.loader_next(7, now)
            elif mark == "x":
                finder.loader_next(7, now)
                finder.loader_exhausted(7)
            elif mark in "fg":
                finder.forward_started(1, now)
                finder.forward_ended(1, "Net", mark == "f", now)
            elif mark == "h":
                finder.forward_started(2, now)
                finder.forward_ended(2, "Other", False, now)
            elif mark == "B":
                finder.backward_started(now)
            elif mark == "O":
                finder.optimizer_made()
            elif mark in "o2":
                finder.optimizer_stepped(1 if mark == "o" else 2, now)
            elif mark == "s":
                finder.explicit(now)
            elif mark == "[":
                finder.region_entered("part", now)
            else:
                finder.region_left("part", now)
        return self


def test_a_single_mark_is_no_step():
    assert Told().play("f").word == "b"
    assert Told().play("n").word == "b"


def test_other_regions_are_no_steps():
    assert Told("another").play("[ ] [ ]").word == ""


def test_training_steps_end_with_the_optimizer():
    told = Told().play("O nfBo nfBo nfBo")
    assert (told.word, told.finder.text()) == ("beee", "optimizer.step")


def test_accumulated_micro_batches_are_one_step():
    assert Told().play("O nfBnfBnfBnfBo nfBnfBnfBnfBo").word == "bee"


def test_two_optimizers_are_one_step_per_round():
    assert Told().play("OO ffBo fB2 ffBo fB2 ffBo fB2").word == "beee"


def test_an_optimizer_that_stops_loses_its_lead():
    assert Told().play("O fBo fB2 fB2 fB2 fB2 fB2").word == "beee"


def test_inference_steps_are_batches_and_the_pause_between_epochs_is_none():
    told = Told().play("ng ng ng x ng ng x")
    assert (told.word, told.finder.text()) == ("beeepbeep", "DataLoader batch")


def test_inference_without_a_loader_steps_by_forwards():
    told = Told().play("g g g")
    assert (told.word, told.finder.text()) == ("beee", "forward of Net")


def test_a_forward_that_may_still_be_learnt_from_waits_for_the_next():
    assert Told().play("f f f").word == "bee" + "e"


def test_tokens_are_the_steps_of_a_batch_that_is_decoded():
    told = Told().play("n" + "g" * 40 + "n" + "g" * 40)
    assert told.finder.text() == "forward of Net"
    assert told.word.count("e") == 1 + 8 + 40


def test_gradients_without_an_optimizer_step_by_forwards():
    told = Told().play("fB fB fB fB fB")
    assert (told.word, told.finder.text()) == ("bee", "forward of Net")


def test_training_after_an_evaluation_starts_the_measurement_again():
    told = Told().play("ng ng ng O nfBo nfBo")
    assert told.finder.text() == "optimizer.step"
    assert told.word.endswith("ree")


def test_explicit_steps_win_over_everything():
    told = Told().play("O nfBos nfBos nfBos")
    assert told.finder.text() == "perfkit.step()"
    assert told.word == "be" + "re" + "ee"


def test_explicit_steps_need_no_other_mark():
    assert Told().play("s s s").word == "bee"


def test_passes_through_a_region_are_steps_if_asked_for():
    told = Told("part").play("nfBo [ ] nfBo s [ ]")
    assert (told.word, told.finder.text()) == ("bepbep", "region part")


def test_leaders_turns_end_rounds():
    leader = Leader()
    assert [leader.takes_turn(key) for key in (1, 2, 1, 2, 2, 2, 2)] == [
        True, False, True, False, False, False, True,
    ]  # fmt: skip


def test_other_modules_forwards_belong_to_the_first_ones_step():
    told = Told().play("gh gh gh gh")  # a model and a metric that is a module too
    alone = Told().play("g g g g")
    assert (told.word, told.finder.text()) == (alone.word, "forward of Net")


def test_an_encoder_leads_its_decoder_unless_there_are_very_many_tokens():
    assert Told().play("g hhhhhh g hhhhhh g hhhhhh").word.count("e") <= 3
    told = Told().play("g" + "h" * 40)
    assert told.word.count("e") > 5 and told.finder.text() == "forward of Other"
