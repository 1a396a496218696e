# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge evaluate`: accuracy of a bundle or a checkpoint, as it is, attacked and corrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rvl_edge.cli import robustness
from rvl_edge.cli.arguments import BackendName, DataPath, Senses, existing, writable
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.offline.evaluation.evaluate import Result


_OF_ALL = {"subject", "data", "targets", "out", "modality", "backend", "part", "device", "as_json"}


def run(
    context: typer.Context,
    subject: Annotated[
        Path | None, typer.Argument(help="A bundle's or a checkpoint's folder; none is the embedded bundle.")
    ] = None,
    *,
    data: DataPath,
    targets: Annotated[
        Path | None,
        typer.Option(
            help="YAML of accuracies to reach, by label set, or by condition such as `pgd 4/255`; exits with "
            "1 if one is missed."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results.json and confusion pictures; of a checkpoint, or of attacks and "
            "corruptions, the JSON file."
        ),
    ] = None,
    modality: Senses = None,
    backend: BackendName = "onnxruntime",
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="fgsm, pgd, cw, cw-l2, apgd-ce, apgd-ce+t, autoattack, square or transfer; may be repeated."
        ),
    ] = None,
    eps: Annotated[str, typer.Option(help="Radii in 255ths such as 1,2,4,8, or fractions.")] = "",
    snr: Annotated[str, typer.Option(help="Instead, signal-to-noise ratios in dB, with --at-sensor.")] = "",
    norm: Annotated[Literal["linf", "l2"], typer.Option(help="Norm of the radii.")] = "linf",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Gradient steps a try, or a black box's queries.")
    ] = None,
    restarts: Annotated[int | None, typer.Option(min=1, help="Random starts of pgd, cw and apgd-ce.")] = None,
    wrong_classes: Annotated[
        int | None,
        typer.Option(min=1, help="Likeliest ones that apgd-ce+t tries in turn; nine if left out."),
    ] = None,
    surrogate: Annotated[
        Path | None, typer.Option(help="Checkpoint that transfer is crafted on, such as the plain one.")
    ] = None,
    corruptions: Annotated[str, typer.Option(help="Names such as fog,jpeg, or all.")] = "",
    severities: Annotated[str, typer.Option(help="Of corruptions, 1 to 5.")] = "1,2,3,4,5",
    checks: Annotated[
        str, typer.Option(help="Look for masked gradients at this radius, such as 4/255.")
    ] = "",
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--attack-prompts",
            help="words or characters: a checkpoint is asked by attacked prompts too, in every attack.",
        ),
    ] = None,
    edits: Annotated[int, typer.Option(min=1, help="Words or characters changed in a prompt.")] = 1,
    words: Annotated[Path, typer.Option(help="Lexicon of the attacks on prompts.")] = Path(
        "calibration/words/english.yaml"
    ),
    at_sensor: Annotated[
        bool, typer.Option("--at-sensor", help="Attack waveform or camera pixels, not the encoder's input.")
    ] = False,
    samples: Annotated[
        int | None, typer.Option(min=1, help="How many, the same ones for all; all if left out.")
    ] = None,
    part: Annotated[Literal["validation", "test"], typer.Option(help="Part of the set.")] = "test",
    label_set: Annotated[str | None, typer.Option(help="Question, where a sense has several.")] = None,
    text: Annotated[
        Path | None, typer.Option(help="Text checkpoint, if it is not the folder text beside the checkpoint.")
    ] = None,
    labels: Annotated[Path, typer.Option(help="Folder with a checkpoint's templates.yaml.")] = Path(
        "calibration/labels"
    ),
    name: Annotated[
        str | None, typer.Option(help="Of the encoder, in tables; its folder's if left out.")
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="Of a checkpoint's tower, in attacks too.")
    ] = "float32",
    device: Annotated[
        Literal["cpu"] | None, typer.Option(help="cpu keeps off a GPU; what there is, if left out.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at once.")] = 128,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    run_folder: Annotated[
        Path, typer.Option("--run", help="Folder for parts of results; the same one resumes.")
    ] = Path("runs/evaluate"),
    shard: Annotated[str, typer.Option(help="This machine's part of the work, such as 2/3.")] = "1/1",
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Share the work over a Ray cluster: auto (this machine's), local (start one) or HOST:PORT.",
        ),
    ] = None,
    ray_workers: Annotated[
        int | None, typer.Option(min=1, help="One a GPU, or else one a machine, if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a bundle or a checkpoint on labelled sets, as it is, attacked and corrupted.

    Zero-shot through text anchors. A bundle is asked with the encoders and preprocessing that a robot runs, a
    checkpoint by torch, which can be attacked. A run that was cut off goes on where it was when it is started
    again with the same --run. Processes share the work under torchrun or accelerate launch, machines by --ray
    or --shard; data and checkpoints are under the same paths on all of them.
    """
    with offline_half("evaluate"):
        from rvl_edge.cli import planning
        from rvl_edge.offline.evaluation.arms import Effort
        from rvl_edge.offline.evaluation.plans import Means, is_bundle
        from rvl_edge.offline.training.processes import Processes

    given = _given(context)
    subject = None if subject is None else existing(subject)
    if is_bundle(subject) and not (attack or corruptions or checks or prompts or ray):
        _refuse(
            "these options are for attacks and corruptions",
            [option for name, option in given.items() if name not in _OF_ALL],
            fix="add --attack square, --attack transfer or --corruptions all; or leave them out",
        )
        _as_it_is(
            subject,
            data=existing(data),
            part=part,
            targets=targets,
            out=out,
            modality=modality,
            backend=backend,
            as_json=as_json,
        )
        return
    if not is_bundle(subject):
        _refuse(
            "a checkpoint has one sense, and is run by torch",
            [option for name, option in given.items() if name in {"modality", "backend"}],
            fix="leave it out; or export the checkpoint, and evaluate the bundle",
        )
    processes = Processes("cpu" if ray else device)
    plan = planning.plan(
        subject,
        name,
        modality,
        backend,
        about=planning.asked(
            data,
            part=part,
            samples=samples,
            label_set=label_set,
            at_sensor=at_sensor,
            text=text,
            labels=labels,
        ),
        under=planning.conditions(
            attack or (),
            norm=norm,
            eps=eps,
            snr=snr,
            effort=Effort(steps, restarts, wrong_classes),
            surrogate=surrogate,
            corruptions=corruptions,
            severities=severities,
            checks=checks,
            prompts=prompts or (),
            edits=edits,
            words=words,
        ),
        means=Means(run_folder, seed, batch_size, precision, processes.device),
    )
    share = planning.share(shard, processes)
    cluster = robustness.cluster(ray, ray_workers, share, gpus=device != "cpu")
    robustness.carry_out(plan, share, cluster, out, targets, as_json=as_json)


def _given(context: typer.Context) -> dict[str, str]:
    """Options of the command line by parameter, without those that environment and defaults set."""
    return {
        str(option.name): option.opts[0]
        for option in context.command.params
        if getattr(context.get_parameter_source(str(option.name)), "name", "") == "COMMANDLINE"
    }


def _refuse(what: str, options: list[str], *, fix: str) -> None:
    """Options that are of no use would seem to have been followed."""
    if options:
        raise ConfigError(what, got=", ".join(options), fix=fix)


def _as_it_is(
    bundle: Path | None,
    *,
    data: Path,
    part: str,
    targets: Path | None,
    out: Path | None,
    modality: list[str] | None,
    backend: str,
    as_json: bool,
) -> None:
    with offline_half("evaluate"):
        from rvl_edge.offline.datasets.samples import Part
        from rvl_edge.offline.evaluation import report
        from rvl_edge.offline.evaluation.evaluate import evaluate, read_targets
        from rvl_edge.perceiver import Perceiver
        from rvl_edge.types import Modality

    if out is not None:
        ours = out.is_dir() and ((out / report.RESULTS_NAME).is_file() or not any(out.iterdir()))
        if out.exists() and not ours:
            raise ConfigError("will not replace what is no result", got=out, fix="name a new folder")
        writable(out)
    wanted = None if targets is None else read_targets(existing(targets))
    senses = [Modality(each) for each in modality] if modality else None
    with Perceiver.open(bundle, modalities=senses, backend=backend) as perceiver, progress() as advance:
        results = evaluate(
            perceiver,
            data,
            part=Part(part),
            targets=wanted,
            report=lambda sense, done, total: advance(sense.value, done, total),
        )
    if out is not None:
        report.write_report(results, out)
    if as_json:
        print_json({"results": [report.as_json(each) for each in results]})
    else:
        _show(results)
    raise typer.Exit(0 if all(each.passed for each in results) else 1)


def _show(results: tuple[Result, ...]) -> None:
    rows = [
        (
            str(each.modality),
            each.label_set + (" (simulated)" if each.simulated else ""),
            f"{each.accuracy.value:.1%}",
            f"{each.accuracy.low:.1%} to {each.accuracy.high:.1%}",
            str(each.accuracy.trials),
            "" if each.target is None else f"{each.target:.0%} {'reached' if each.passed else 'missed'}",
        )
        for each in results
    ]
    print_table(("sense", "label set", "accuracy", "95 % interval", "samples", "target"), rows)
