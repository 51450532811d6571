"""The explorer: controls over the recordings of finished patients, and the picture of the moment that they choose."""

import asyncio
import html

import ipywidgets as widgets
import numpy as np
from traitlets import Unicode

from helpers import moments
from helpers.acquire.montages import DOUBLE_BANANA
from helpers.explain.attributions import METHODS
from helpers.explorer_page import SIZES, Page, View
from helpers.explorer_words import words

SENSITIVITIES = (20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000)  # µV between two lines
PAGES_S = (20.0, 30.0)
PAUSE_S = 0.15  # after the last move, before an attribution that nobody stored is computed
ALT = "EEG, spectrogram, attribution and probability of one moment; the text above says what they show."
EXPECTED = (ValueError, OSError, RuntimeError)  # what the helpers raise on purpose: said beside the controls
STEPS = {"previous sample": -1, "next sample": 1}
TEXTS = {"previous sample": "◀ sample", "next sample": "sample ▶"}  # of the buttons, by their names
TEXTS |= {f"next {kind}": f"{kind} ▶" for kind in moments.KINDS}
WHOLE = "mean of 18"  # of the channels


def dropdown(description, options=(), width="230px", **more):
    """Return a dropdown; its description takes the room that it needs."""
    layout, style = widgets.Layout(width=width), {"description_width": "initial"}
    return widgets.Dropdown(description=description, options=options, layout=layout, style=style, **more)


class Picture(widgets.Image):
    """An image with a name for screen readers: ipywidgets looks for a description before it shows a tooltip."""

    description = Unicode("").tag(sync=True)


class Explorer:
    """Controls and picture; `box` is what a notebook shows.

    Parameters
    ----------
    patient : str, optional
        The one to begin with; by default the first finished one.
    """

    def __init__(self, patient=None):
        self.study = self.page = self._waiting = None
        self._still = True  # while the program sets controls, they do not draw
        self._make_controls()
        self.patient.options = names = moments.seen()
        self.patient.value = patient if patient in names else next(iter(moments.finished() or names), None)
        self._arrange()
        if patient is not None and patient not in names:
            self._say(f"There is no patient '{patient}' in output/; there are: {', '.join(names) or 'none'}.", True)
        elif not names:
            self._say("There is no patient in output/ yet. Run `make study` first.", True)
        else:
            self._open()

    def _make_controls(self):
        style, room = {"description_width": "initial"}, widgets.Layout
        self.patient, self.recording = dropdown("patient", width="150px"), dropdown("recording", width="190px")
        about = {"description": "moment (s)", "readout_format": ".1f", "style": style}
        self.moment = widgets.FloatSlider(layout=room(width="430px"), **about)
        about = {"description": "µV a line", "options": SENSITIVITIES, "value": 200, "style": style}
        self.uv = widgets.SelectionSlider(layout=room(width="250px"), **about)
        self.method = dropdown("method", [(name, key) for key, name in METHODS.items()], "200px")
        self.channel = dropdown("spectrogram", [WHOLE, *DOUBLE_BANANA], "205px")
        self.filter, self.page_s = dropdown("EEG", list(moments.FILTERS), "140px"), dropdown("page", width="145px")
        self.size = dropdown("picture", list(SIZES), "135px", value="medium")
        self.shaded = widgets.Checkbox(description="IG shades EEG", indent=False, layout=room(width="120px"))
        about = {"layout": room(width="auto")}
        self.buttons = {name: widgets.Button(description=text, tooltip=name, **about) for name, text in TEXTS.items()}
        self.words, self.image = widgets.HTML(), Picture(format="png", tooltip=ALT)

    def _arrange(self):
        """Put the controls in rows that wrap where the window is narrow, and listen to them."""
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        self.image.layout = widgets.Layout(max_width="100%", object_fit="contain", align_self="flex-start")
        chosen_by = [self.patient, self.recording, self.moment]
        moved_by = [*self.buttons.values(), self.uv, self.shaded]
        seen_by = [self.method, self.channel, self.filter, self.page_s, self.size]
        rows = [widgets.HBox(controls, layout=row) for controls in (chosen_by, moved_by, seen_by)]
        self.box = widgets.VBox([*rows, self.words, self.image])
        for button in self.buttons.values():
            button.on_click(self._press)
        for control, heard in ((self.patient, self._open), (self.recording, self._turn), (self.size, self._resize)):
            control.observe(heard, "value")
        for control in (self.moment, self.uv, self.filter, self.page_s, self.method, self.channel, self.shaded):
            control.observe(self._draw, "value")

    def view(self):
        """Return what the controls ask for."""
        return View(
            self.recording.value, self.moment.value, self.page_s.value, self.uv.value, self.filter.value,
            self.method.value, None if self.channel.value == WHOLE else self.channel.value, self.shaded.value,
        )  # fmt: skip

    def go(self, recording, moment_s):
        """Show a moment of a recording; raise ValueError if there is none."""
        start_s = self.study.frame_start(recording, moment_s)
        self._still = True
        self.recording.value = recording
        self.moment.max = self.study.frame_start(recording, self.study.durations[recording])
        self.moment.value = start_s
        self._still = False
        self._draw()

    def step(self, frames):
        """Show the moment so many frames later, or earlier, within the recording."""
        at = self.moment.value + frames * self.study.axis["frame_s"]
        self.go(self.recording.value, float(np.clip(at, 0, self.moment.max)))

    def follow(self, kind):
        """Show the next seizure, alarm or error (see `moments.Study.following`), or say that there is none."""
        found = self.study.following(kind, self.recording.value, self.moment.value)
        if found is None:
            self._say(f"{self.study.patient} has no {kind}.")
        else:
            self.go(*found)

    def _press(self, button):
        if self.study is not None:
            name = button.tooltip
            self.step(STEPS[name]) if name in STEPS else self.follow(name.removeprefix("next "))

    def _open(self, *_):
        """Open the chosen patient, or say what is missing."""
        self._cancel()
        self._still, self.study = True, None
        try:
            self.study = moments.Study(self.patient.value)
        except EXPECTED as error:
            self.recording.options = ()
            return self._say(f"{self.patient.value} is not finished. {error}", True)
        frame_s, names = self.study.axis["frame_s"], list(self.study.durations)
        self.page = Page(self.study, self.size.value)
        self.recording.options = names
        longer = [(f"{length_s:g} s", length_s) for length_s in PAGES_S if length_s > 3 * frame_s]
        self.page_s.options = [(f"triptych, {3 * frame_s:g} s", 3 * frame_s), *longer]
        self.page_s.value = 3 * frame_s
        self.moment.value, self.moment.step = 0.0, frame_s
        self.go(*(self.study.following("seizure", names[0], 0.0) or (names[0], self._first_s(names[0]))))

    def _first_s(self, recording):
        """Return where the first decision of a recording is, in s."""
        return min(2 * self.study.axis["frame_s"], self.study.durations[recording])

    def _turn(self, *_):
        if not self._still:
            self.go(self.recording.value, self._first_s(self.recording.value))

    def _resize(self, *_):
        if self.study is not None:
            self.page = Page(self.study, self.size.value)
            self._draw()

    def _draw(self, *_):
        """Draw the picture; an attribution that is missing comes after the moves have paused."""
        if self._still or self.study is None:
            return
        self._cancel()
        view = self.view()
        try:
            self.image.value, missing = self.page.picture(view)
            self._say(words(self.study, view.recording, view.moment_s, view.method))
        except EXPECTED as error:
            return self._say(str(error), True)
        self.image.layout.visibility = "visible"
        if missing:
            try:
                self._waiting = asyncio.get_running_loop().create_task(self._complete(view))
            except RuntimeError:  # no notebook, so that nothing else waits
                asyncio.run(self._complete(view))

    def _cancel(self):
        """Let go of what was waiting to be computed for a moment that is no longer shown."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _complete(self, view):
        """Compute a missing attribution beside the notebook, and draw again if it is still asked for."""
        await asyncio.sleep(PAUSE_S)
        sample = self.study.sample_at(view.recording, view.moment_s)
        try:
            await asyncio.to_thread(self.study.attribution, sample)
        except EXPECTED as error:
            return self._say(str(error), True)
        self._waiting = None  # this very task: it must not cancel itself
        if self.view() == view:
            self._draw()

    def _say(self, text, wrong=False):
        """Say something beside the controls; if it is `wrong`, no picture stays that could be taken for an answer."""
        text = ("<b>Not possible.</b> " if wrong else "") + html.escape(text)
        self.words.value = f"<div style='line-height: 1.3; font-size: 12px'>{text}</div>"
        if wrong:
            self.image.layout.visibility = "hidden"
