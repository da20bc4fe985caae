"""Did the network learn pneumonia, or only which source a picture comes from?

`python -m training.source_probe --model classifier/models/NAME --data CHILDREN --data ADULTS`
looks at pictures that were not trained on, by the fold in the model's card, and notes there:

- *features*: how well a linear probe tells the sources apart within one class. Children and adults
  look different, so near 1 is no fault by itself;
- *answer*: how well the probability of pneumonia does. 0.5 means that, among the healthy or among
  the ill, the answer does not hang on the source;
- *within*: pneumonia against normal within each source. A network that had merely learned the
  source would be at chance, 0.5, there;
- *kind*: viral against bacterial, apart by whether the way a picture was taken gives the kind away.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifier.labels import FloatArray
from classifier.model import calibrated, load_model
from training import dataset
from training.answering import run_engine
from training.dataset import load_pictures
from training.figures import NORMAL, Interval, Predictions, area, kinds_apart
from training.model_card import note
from training.sections import source_section

FOLDS = 5
# Strongly held back: there are more channels than adults.
PROBE_STRENGTH = 0.001

Rows = NDArray[np.bool_]


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="two folders of labels, as for training")],
) -> None:
    """Probe features and answers of the tuning and the held-out part for the source."""
    loaded = load_model(model)
    parts = dataset.split(dataset.find_all(data), dataset.fold_of(loaded.card))
    examples = parts.tuning + parts.held_out
    pictures = load_pictures(examples, loaded.card.input_size)
    output = run_engine(loaded.engine, pictures.inputs())
    shares = calibrated(output.logits, loaded.card.temperature)
    classes, patients = pictures.classes, pictures.patients
    found = {"pictures": len(examples)} | probe(
        output.features, 1 - shares[:, NORMAL], classes, pictures.sources, patients
    )
    found["kind"] = kinds_apart(Predictions(shares, classes, patients))
    note(model, "source_probe", found)
    print(source_section(found))


def probe(
    features: FloatArray,
    answers: FloatArray,
    classes: NDArray[np.int64],
    sources: NDArray[np.str_],
    patients: NDArray[np.str_],
) -> dict[str, Any]:
    """Give areas under the ROC curve with intervals.

    `features` (n, channels), `answers` (n,) the probability of pneumonia. Raises ValueError unless
    there are two sources.
    """
    first, second = dict.fromkeys(sources.tolist())
    is_second, is_ill = sources == second, classes != NORMAL
    found: dict[str, dict[str, Interval]] = {"features": {}, "answer": {}, "within": {}}
    for name, rows in (("normal", ~is_ill), ("pneumonia", is_ill)):
        scores = probed(features[rows], is_second[rows], patients[rows])
        found["features"][name] = area(is_second[rows], scores, patients[rows])
        found["answer"][name] = area(is_second[rows], answers[rows], patients[rows])
    for source in (first, second):
        rows = sources == source
        found["within"][source] = area(is_ill[rows], answers[rows], patients[rows])
    return found


def probed(features: FloatArray, is_second: Rows, patients: NDArray[np.str_]) -> FloatArray:
    """Score each of `features` (n, channels) with a probe fitted to other patients: (n,)."""
    fit = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=PROBE_STRENGTH, class_weight="balanced", max_iter=1000),
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    scores: FloatArray = cross_val_predict(
        fit, features, is_second, groups=patients, cv=folds, method="decision_function"
    )
    return scores


if __name__ == "__main__":
    typer.run(main)
