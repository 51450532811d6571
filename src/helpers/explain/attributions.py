"""Grad-CAM, Grad-CAM++, Integrated Gradients and methods beside them; and the samples they are computed for."""

from functools import partial

import numpy as np
import pandas as pd
import torch
from captum.attr import FeatureAblation, IntegratedGradients, Saliency

from helpers.preprocess import spectrograms
from helpers.study import parallel
from helpers.study.bands import band_masks
from helpers.train import network as networks
from helpers.train import training

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "Integrated Gradients"}  # the reference study's
BESIDE = {"gradinput": "gradient × input", "smooth": "SmoothGrad-IG", "occlusion": "occlusion"}
BATCH = 16  # samples explained at once: more is no faster and takes more memory
PATH_BATCH = 32  # triptychs on the paths of Integrated Gradients at once
NOISE_DB, NOISY = 1.0, 4  # of SmoothGrad: noise in each cell, and how many noisy samples are averaged
CONVERGED = 0.05  # largest convergence delta, as a share of the sum of the attributions, or of 1


def grad_cam(maps, gradients):
    """Return Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), [sample, step, row, column], not negative.

    `maps` and `gradients`, [sample, step, K, row, column], are the explained layer's feature maps A and the gradients
    ∂S/∂A of the class score S.
    """
    weights = gradients.mean(dim=(3, 4), keepdim=True)  # (1): α_k = 1/Z Σ_ij ∂S/∂A_ij^k
    return torch.relu((weights * maps).sum(dim=2))  # (2): ReLU(Σ_k α_k A^k)


def grad_cam_plus_plus(maps, gradients):
    """Return Grad-CAM++ (Chattopadhay et al. 2018, equations 10, 19 and the final map); see `grad_cam`.

    As in the paper, the class score is Y = exp(S): where S is piecewise linear in A, the higher derivatives of Y are
    powers of ∂S/∂A, and the factor exp(S) cancels in α and only scales the map.

    It is no method of its own here: our network sums a map over frequency and time, so its gradient g is the same at
    each place, and w = Z g / (2 + g ΣA) for g > 0. As g ΣA is far below 2, that is Grad-CAM of the maps with g > 0.
    """
    square, cube = gradients**2, gradients**3
    # (19): α_ij^k = g² / (2 g² + Σ_ab A_ab^k g³), and 0 where the gradient is 0
    denominator = 2 * square + (maps.sum(dim=(3, 4), keepdim=True) * cube)
    alpha = torch.where(denominator != 0, square / torch.where(denominator != 0, denominator, 1.0), 0.0)
    weights = (alpha * torch.relu(gradients)).sum(dim=(3, 4), keepdim=True)  # (10): w_k = Σ_ij α_ij^k ReLU(∂Y/∂A_ij^k)
    return torch.relu((weights * maps).sum(dim=2))


def class_sign(predicted):
    """Return +1 for seizure and −1 for non-seizure: the score of one class is minus that of the other."""
    return torch.where(torch.tensor(predicted) == 1, 1.0, -1.0)


def class_maps(network, triptychs, predicted):
    """Return Grad-CAM and Grad-CAM++ for the predicted class, each frame's map over its own spectrogram.

    `network` is an `Ensemble` or one of its members, `triptychs` float32 [sample, 3, C, F, T], `predicted` 0 or 1
    [sample]. Return a dict of "gradcam", "gradcampp" → float32 [sample, 3, F, T], resampled from the explained layer.
    """
    with torch.no_grad():
        maps = network.maps(triptychs)
    maps.requires_grad_(True)
    score = (class_sign(predicted) * network.decide(maps)).sum()  # samples are independent of each other
    (gradients,) = torch.autograd.grad(score, maps)
    size = triptychs.shape[-2:]
    return {
        name: torch.nn.functional.interpolate(method(maps, gradients).detach(), size=size, mode="bilinear").numpy()
        for name, method in (("gradcam", grad_cam), ("gradcampp", grad_cam_plus_plus))
    }


def toward_seizure(network, triptychs, baseline=None, steps=64, method="ig"):
    """Return what each cell adds to the log-odds of seizure, whatever was predicted: float32 [sample, 3, C, F, T].

    ``ig``: Integrated Gradients (Sundararajan et al. 2017); ``gradinput``: the gradient at the sample times the way
    from the baseline (captum's DeepLIFT has no rule for a GRU's gates); ``smooth``: the mean of Integrated Gradients
    of noisy samples (Smilkov et al. 2017), fewer steps each. The baseline is a tensor [C, F, 1] in dB, by default the
    mean of the training recordings. The network first averages cells, which then share
    their gradient: captum walks the path of the averages, `steps` points long, to the same numbers.
    """
    baseline = network.mean if baseline is None else baseline
    pooled = networks.pool_steps(triptychs)
    path = IntegratedGradients(partial(_score, network), multiply_by_inputs=False)
    options = {"baselines": networks.pool_bins(baseline).expand_as(pooled), "internal_batch_size": PATH_BATCH}
    if method == "gradinput":
        gradients = Saliency(partial(_score, network)).attribute(pooled.requires_grad_(), abs=False)
    elif method == "smooth":
        generator = torch.Generator().manual_seed(0)
        noisy = [pooled + NOISE_DB * torch.randn(pooled.shape, generator=generator) for _ in range(NOISY)]
        gradients = sum(path.attribute(each, **options, n_steps=max(steps // NOISY, 2)) for each in noisy) / NOISY
    else:
        gradients = path.attribute(pooled, **options, n_steps=steps)
    shares = gradients.detach() / (networks.POOL_BINS * networks.pooled_columns(triptychs.shape[-1]))
    return (networks.unpool(shares, triptychs.shape) * (triptychs - baseline)).float()


def _score(network, pooled):
    return network.decide(network.encode(pooled))


def occlude(network, triptychs, others, frequencies_hz):
    """Return how much the log-odds fall when a band of a channel is replaced by other EEG, [sample, 3, C, F, T].

    `others`, [sample, 3, C, F, T], is EEG outside seizures of the same patient: values that occur in the data. All
    three frames are replaced together, so the map is the same at all times; a band's fall is shared by its cells. A row
    of pooled bins counts to the band of its first.
    """
    pooled, channels = networks.pool_steps(triptychs), triptychs.shape[2]
    band = np.stack(list(band_masks(np.asarray(frequencies_hz)).values())).argmax(axis=0)[:: networks.POOL_BINS]
    group = torch.from_numpy(band[: pooled.shape[3]])[None] * channels + torch.arange(channels)[:, None]
    mask = group[None, None, :, :, None].expand(1, *pooled.shape[1:])
    with torch.no_grad():
        fall = FeatureAblation(partial(_score, network)).attribute(
            pooled, baselines=networks.pool_steps(others), feature_mask=mask, perturbations_per_eval=8
        )
    size = torch.bincount(group.ravel())[group][None, None, :, :, None] * 3 * triptychs.shape[4] * networks.POOL_BINS
    return networks.unpool(fall / size, triptychs.shape).float()


def neutral_baselines(folder, weights, members, table, frame_columns):
    """Return for each fold a baseline on which its ensemble is undecided, as Izzo et al. (2020) propose.

    It lies on the line from the mean power of other samples to that of seizure samples, of other folds, where the
    log-odds are nearest the fold's threshold; it is constant in time. From there, attributions sum to how far a
    decision is from its threshold; from the training mean, itself a clear "no", a "no" may sum to "yes".

    `table` has ``recording``, ``column``, ``fold``, ``label``, ``log_odds``, ``p_seizure`` and ``threshold``. Return a
    dict of fold → (float32 tensor [C, F, 1], log-odds there, log-odds at the training mean, threshold in log-odds).
    """
    found = {}
    torch.set_num_threads(1)  # several would mostly wait for each other
    for fold, own in table.groupby("fold"):
        network, means = networks.load_ensemble(weights, members[fold]), []
        for label in (0, 1):
            rows = table[(table["fold"] != fold) & (table["label"] == label)]
            rows = rows.iloc[evenly_spaced(len(rows), min(100, len(rows)))]
            powers = spectrograms.open_spectrogram(folder, rows["recording"].unique())
            means.append(training.slices(powers, rows, frame_columns).mean(dim=(0, 1, 4))[..., None])
        line = [torch.lerp(*means, share) for share in torch.linspace(0, 1.5, 61)]
        points = networks.pool_bins(torch.stack([*line, network.mean]))[:, None]
        with torch.no_grad():  # constant in time: one column and one frame stand for all
            *along, at_mean = network.decide(network.encode(points).expand(-1, 3, -1, -1, -1)).double().tolist()
        ordered = own.sort_values("p_seizure")
        threshold = float(np.interp(own["threshold"].iloc[0], ordered["p_seizure"], ordered["log_odds"]))
        nearest = int(np.abs(np.array(along) - threshold).argmin())
        found[fold] = line[nearest], along[nearest], at_mean, threshold
    return found


def predicted_relevance(network, triptychs, predicted, baseline=None, steps=64, methods=("ig",)):
    """Return relevance for the predicted class: class maps, [sample, 3, F, T], and `methods`, [sample, 3, C, F, T]."""
    sign = class_sign(predicted)[:, None, None, None, None]
    signed = {one: (toward_seizure(network, triptychs, baseline, steps, one) * sign).numpy() for one in methods}
    return class_maps(network, triptychs, predicted) | signed


def explain_all(folder, weights, members, table, frame_columns, steps, baselines=None):
    """Explain all samples of a table by the reference study's methods, in parallel.

    `folder` and `weights` hold spectrograms and networks; `members` maps a fold to its networks' names; `baselines` are
    from `neutral_baselines` (default: the training means). `table` has ``recording``, ``column``, ``fold``, ``decided``
    and ``log_odds``: RuntimeError if these are not the networks'.

    Return a dict of arrays in the order of `table`: ``gradcam``, ``gradcampp`` [sample, 3, F, T] for the predicted
    class; ``ig`` [sample, 3, F, T], toward seizure, summed over channels; ``ig_channels`` [sample, 3, C, T], summed
    over frequencies; ``delta`` and ``total``, float64 [sample]: convergence delta (their sum minus the change in
    score) and sum of all attributions. Where the delta is above `CONVERGED`, the path has up to 8 · `steps` points.
    """
    work = partial(_explain_part, steps=steps, baselines=baselines)
    return map_by_fold(work, folder, weights, members, table, frame_columns)


def map_by_fold(function, folder, weights, members, table, frame_columns):
    """Map `function` over parts of `table`, each of one fold; return its arrays in the table's order.

    `function` takes ``(ensemble, triptychs, part)``, whose index is the row in `table`, and returns a dict of str →
    array [sample, …]. It runs in threads: processes would import torch first. Others are those of `explain_all`.
    """

    def apply(part):
        torch.set_num_threads(1)  # of torch's own, as parts run beside each other, and sums depend on their number
        powers = spectrograms.open_spectrogram(folder, part["recording"].unique())
        network = networks.load_ensemble(weights, members[part["fold"].iloc[0]])
        return function(network, training.slices(powers, part, frame_columns), part)

    folds = table.reset_index(drop=True).groupby("fold")
    parts = [own.iloc[first : first + BATCH] for _, own in folds for first in range(0, len(own), BATCH)]
    found = parallel.parallel_map(apply, zip(parts), "explain", "part", threads=True)
    if not found:
        return {}
    order = np.argsort(np.concatenate([part.index for part in parts]))
    return {name: np.concatenate([values[name] for values in found])[order] for name in found[0]}


def to_table(found, samples, keys, value):
    """Return arrays [sample, …] by name as a long table: ``sample``, the parts of a name under `keys`, and `value`."""
    parts = [
        pd.DataFrame({"sample": samples, **dict(zip(keys, name.split("/"), strict=True)), value: list(values)})
        for name, values in found.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["sample", *keys, value])


def _explain_part(network, triptychs, part, steps, baselines):
    baseline = network.mean if baselines is None else baselines[part["fold"].iloc[0]][0]
    with torch.no_grad():
        log_odds, start = network(triptychs), network(baseline.expand_as(triptychs[:1]))
    change, gap = (log_odds - start).double(), np.abs(log_odds.double().numpy() - part["log_odds"].to_numpy(float))
    if (wrong := ~(gap <= 1e-3)).any():  # NaN is wrong, too
        raise RuntimeError(
            f"{part['recording'].iloc[int(wrong.argmax())]}: the networks' log-odds differ by "
            f"{gap[wrong.argmax()]:.3g} from those in decisions.csv. Weights and decisions are of two runs: make both "
            "again with `dvc repro`."
        )
    attribution = toward_seizure(network, triptychs, baseline, steps)
    for finer in (2 * steps, 4 * steps, 8 * steps):
        total = attribution.sum(dim=(1, 2, 3, 4), dtype=torch.float64)
        coarse = (total - change).abs() > CONVERGED * total.abs().clamp(min=1)
        if coarse.any():
            attribution[coarse] = toward_seizure(network, triptychs[coarse], baseline, finer)
    total = attribution.sum(dim=(1, 2, 3, 4), dtype=torch.float64)
    return class_maps(network, triptychs, part["decided"].to_numpy()) | {
        "ig": attribution.sum(dim=2).numpy(),
        "ig_channels": attribution.sum(dim=3).numpy(),
        "delta": (total - change).numpy(),
        "total": total.numpy(),
    }


def by_band(maps, frequencies_hz):
    """Return the relevance of maps [sample, 3, F, T], a dict by method, by band and step: float64 [sample, 3, band].

    A mean over the band's bins: of ``ig``, toward seizure, the log-odds that one bin adds in a step; of class
    activation maps a multiple of the mean over the triptych, 1 if the map is flat, NaN if it is zero.
    """
    masks, found = band_masks(frequencies_hz), {}
    for name, values in maps.items():
        bins = values.sum(axis=3, dtype=float)
        means = np.stack([bins[:, :, mask].mean(axis=2) for mask in masks.values()], axis=2)
        overall = bins.mean(axis=(1, 2))[:, None, None]
        relative = np.divide(means, overall, out=np.full_like(means, np.nan), where=overall > 0)
        found[name] = means if name == "ig" else relative
    return found


def strongest_bands(relevance, frequencies_hz):
    """Return for each step of relevance [3, F, T] the band whose cells have the highest mean above zero, or None."""
    masks, found = band_masks(frequencies_hz), []
    for step in np.clip(relevance, 0, None):
        means = {band: float(step[mask].mean()) for band, mask in masks.items() if mask.any()}
        band = max(means, key=means.get)
        found.append(band if means[band] > 0 else None)
    return found


def strongest_channels(relevance, names):
    """Return for each step of relevance [3, C, T] the name of the channel with the highest mean above zero, or None."""
    means = np.clip(relevance, 0, None).mean(axis=2)
    return [names[int(step.argmax())] if step.max() > 0 else None for step in means]


def evenly_spaced(length, count):
    """Return the index in the middle of each of `count` equal parts of `length` rows: int [count]."""
    return np.array([int((part + 0.5) * length / count) for part in range(count)], int)


def select_samples(decisions, most, always):
    """Return the rows of `decisions` to explain, in their order: those `always` names, bool [sample], and `most` more.

    These are as many of each kind, by ``label`` and ``decided``, if there are so many; evenly spaced in time.
    """
    kinds = decisions.groupby(["label", "decided"]).indices
    chosen = np.array(always)
    for rows in kinds.values():
        chosen[rows[evenly_spaced(len(rows), min(len(rows), most // len(kinds)))]] = True
    return decisions[chosen]


def clearest_errors(decisions):
    """Return the missed seizure and the false alarm farthest from their ``threshold``, in log-odds, or fewer rows."""
    p, threshold = (decisions[name].clip(1e-12, 1 - 1e-12) for name in ("p_seizure", "threshold"))
    distance = (np.log(p / (1 - p)) - np.log(threshold / (1 - threshold))).abs()
    wrong = decisions.assign(distance=distance)[decisions["label"] != decisions["decided"]]
    ordered = wrong.sort_values(["label", "distance", "sample"], ascending=[False, False, True])
    return ordered.groupby("label", sort=False).head(1)[decisions.columns].reset_index(drop=True)


def representative_samples(decisions, per_class):
    """Return `per_class` rows of `decisions` of each true class, seizures first, not chosen for how good they look.

    A class is ordered by ``p_seizure`` and divided into equal parts; the middle of each is taken. ValueError if it has
    fewer samples.
    """
    rows = []
    for label, name in ((1, "seizure"), (0, "non-seizure")):
        ordered = decisions[decisions["label"] == label].sort_values(["p_seizure", "sample"], ascending=[False, True])
        if len(ordered) < per_class:
            raise ValueError(
                f"samples_per_class is {per_class}, but there are only {len(ordered)} {name} samples. Lower it."
            )
        rows += ordered.index[evenly_spaced(len(ordered), per_class)].tolist()
    return decisions.loc[rows].reset_index(drop=True)
