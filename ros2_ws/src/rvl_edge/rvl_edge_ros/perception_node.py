# SPDX-License-Identifier: Apache-2.0
"""The perception node: a lifecycle shell around `Model` (configured) and `Pipeline` (active)."""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.task import Future
from rvl_edge_msgs.srv import EmbedText, SetLabels

from rvl_edge import Perception, RvlEdgeError, UntrainedLabelWarning
from rvl_edge.errors import GpuLost
from rvl_edge_ros import params, services
from rvl_edge_ros.health import StallWatch, State
from rvl_edge_ros.model import Model
from rvl_edge_ros.pipeline import Pipeline
from rvl_edge_ros.publishing import Outputs
from rvl_edge_ros.reports import diagnostic_status, node_status, sense_reports
from rvl_edge_ros.running import HUNG, Hung, run
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.scene_reports import scene_status
from rvl_edge_ros.scenes import SceneReading
from rvl_edge_ros.subscribing import Inputs

SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)
_REPORT_INTERVAL = 1.0  # seconds
Answer = TypeVar("Answer", SetLabels.Response, EmbedText.Response)


class PerceptionNode(LifecycleNode):
    """Embeddings and ranked labels from the senses of one bundle.

    Configuring loads and verifies the bundle, activating subscribes, deactivating stops and keeps the bundle,
    cleaning up frees it. Whatever goes wrong is reported on /diagnostics and survived. Callbacks run on one
    executor thread, inference on another, and texts are embedded on a third. An inference that does not come
    back cannot be ended by itself, and a lost GPU is lost to the whole process: where `stalled_exit` says so,
    the process ends, to be started anew.

    Raises:
        ConfigError: parameters that make no sense.
    """

    def __init__(self, name: str = "perception", **options: Any) -> None:
        super().__init__(name, **options)
        self._settings = params.declare(self)
        self._model: Model | None = None
        self._outputs: Outputs | None = None
        self._pipeline: Pipeline | None = None
        self._inputs: Inputs | None = None
        self._failure = ""
        self._hung = False
        self._gpu_lost = ""
        self._watch = StallWatch(_REPORT_INTERVAL)
        self._answering: threading.Thread | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        apart = MutuallyExclusiveCallbackGroup()  # a pending answer holds up its own group only
        self.create_service(SetLabels, "~/set_labels", self._on_set_labels, callback_group=apart)
        self.create_service(EmbedText, "~/embed_text", self._on_embed_text, callback_group=apart)
        self.create_timer(_REPORT_INTERVAL, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def begin(self) -> None:
        """Configure and activate, if the `autostart` parameter says so."""
        if self._settings.autostart and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def close(self) -> bool:
        """Stop the threads and free the bundle, in whatever state the node is; False where one hangs."""
        self._stop()
        self._free()
        if self._answering is not None:
            self._answering.join(self._settings.inference_timeout)
            self._hung |= self._answering.is_alive()
        return not self._must_end

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Load and verify the bundle; a node that cannot stays unconfigured and says why."""
        return self._attempt("configure", self._configure, undo=self._free)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, infer, publish."""
        return self._attempt("activate", lambda: self._activate(state), undo=lambda: self._deactivate(state))

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop inferring and unsubscribe; the bundle stays loaded."""
        self._deactivate(state)
        return ERROR if self._must_end else SUCCESS

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Free the bundle."""
        self._free()
        return ERROR if self._must_end else SUCCESS

    def on_shutdown(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._stop()
        self._free()
        return SUCCESS

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """A hung inference cannot be ended, nor a lost GPU had back; only the process can end."""
        self._failure = self._gpu_lost or "an inference has hung. Fix: restart this process"
        self.get_logger().fatal(self._failure)
        return FAILURE

    @property
    def _must_end(self) -> bool:
        """Whether this process can neither go on nor free what it loaded."""
        return self._hung or bool(self._gpu_lost)

    def _note(self, error: Exception) -> None:
        """Remember, from any thread, a failure that this process does not outlive."""
        if isinstance(error, GpuLost):
            self._gpu_lost = str(error)

    def _explain(self, error: Exception) -> str:
        """A failure in words, from any thread; one that nobody foresaw is logged with its traceback."""
        self._note(error)
        if isinstance(error, RvlEdgeError):
            return str(error)
        self.get_logger().error("".join(traceback.format_exception(error)))
        return f"{type(error).__name__}: {error}"

    def _attempt(
        self, what: str, transition: Callable[[], None], *, undo: Callable[[], None]
    ) -> TransitionCallbackReturn:
        self._failure = ""
        try:
            transition()
        except Exception as error:  # rclpy would swallow it without a word
            self._failure = f"cannot {what}: {self._explain(error)}"
        if not self._failure:
            return SUCCESS
        undo()
        self.get_logger().error(self._failure)
        return FAILURE

    def _configure(self) -> None:
        model = Model(self._settings)
        self._model = model
        self._outputs = Outputs(self, model.id, (*model.modalities, *model.unavailable))
        self.get_logger().info(f"{model.id} loaded: {', '.join(model.modalities)}")
        for reason in model.unavailable.values():
            self.get_logger().warning(reason)

    def _activate(self, state: LifecycleState) -> None:
        assert self._model is not None
        self._pipeline = Pipeline(
            self._model,
            self._settings,
            publish=self._publish,
            publish_scene=self._publish_scene,
            warn=self.get_logger().error,
            gpu_lost=self._note,
            now=lambda: self.get_clock().now().nanoseconds,
        )
        super().on_activate(state)
        self._inputs = Inputs(self, self._pipeline.senses)

    def _deactivate(self, state: LifecycleState) -> None:
        self._stop()
        super().on_deactivate(state)

    def _stop(self) -> None:
        if self._inputs is not None:
            self._inputs.destroy()
        if self._pipeline is not None:
            self._hung |= not self._pipeline.stop(self._settings.inference_timeout)
        self._inputs = self._pipeline = None

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        if self._model is not None and not self._must_end:
            self._hung = not self._model.close(self._settings.inference_timeout)
        self._outputs = self._model = None

    def _publish(self, seen: Perception, sample: Sample) -> None:
        if self._outputs is not None and self.context.ok():
            self._outputs.publish(seen, sample)

    def _publish_scene(self, reading: SceneReading) -> None:
        if self._outputs is not None and self.context.ok():
            self._outputs.publish_scene(reading)

    def _on_set_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        """Put parameters in force, or refuse them all.

        Both at once, since labels are known to fit only once they were embedded. rclpy runs callbacks in the
        reverse of their order, so what one that was added later refuses never comes here.
        """
        try:
            new = params.changed(self._settings, parameters, configured=self._model is not None)
            self._apply(new, relabel=any(each.name in ("labels", "templates") for each in parameters))
        except Exception as error:  # raised on, it would end the executor, and the node with it
            return SetParametersResult(successful=False, reason=self._explain(error))
        self._settings = new
        return SetParametersResult(successful=True)

    def _apply(self, new: params.Settings, *, relabel: bool) -> None:
        """Put settings in force that were found to make sense; what may still fail comes first."""
        if self._model is not None:
            self._model.apply(new, self._settings, relabel=relabel)
        if self._pipeline is not None:
            self._pipeline.apply(new)

    async def _on_set_labels(
        self, request: SetLabels.Request, _response: SetLabels.Response
    ) -> SetLabels.Response:
        return await self._aside(SetLabels.Response, lambda: services.set_labels(self._model, request))

    async def _on_embed_text(
        self, request: EmbedText.Request, _response: EmbedText.Response
    ) -> EmbedText.Response:
        return await self._aside(EmbedText.Response, lambda: services.embed_text(self._model, request))

    def _aside(self, response: type[Answer], answer: Callable[[], Answer]) -> Future[Answer]:
        """Work out an answer on the thread for texts, so that no sense waits for it."""
        executor = self.executor
        assert executor is not None  # it is what called
        future: Future[Answer] = Future(executor=executor)

        def work() -> None:
            try:
                future.set_result(answer())
            except Exception as error:  # left in the future, it would end the executor
                future.set_result(response(success=False, message=self._explain(error)))
            executor.wake()  # it does not watch futures while it waits for messages

        # The group lets one request in at a time. A daemon: one that hangs must not keep the process.
        self._answering = threading.Thread(target=work, name="texts", daemon=True)
        self._answering.start()
        return future

    def _report(self) -> None:
        model_id = self._model.id if self._model else ""
        name = self.get_fully_qualified_name().lstrip("/")
        state = self._state_machine.current_state[1]
        stalled = "an inference has hung" if self._hung else ""
        message = DiagnosticArray(status=[node_status(name, state, model_id, self._failure)])
        if self._model and self._pipeline and self._outputs:
            reports = sense_reports(self._model, self._pipeline, self._settings)
            for report in reports:
                message.status.append(diagnostic_status(report, name, model_id))
                self._outputs.publish_health(report)
                if report.state is State.STALLED:
                    stalled = f"{report.modality}: {report.detail}"
            senses, scene = self._model.modalities, self._pipeline.scenes.read()
            states, stale_after = [each.state for each in reports], self._settings.stale_after
            row = scene_status(scene, senses, name, model_id, states=states, stale_after=stale_after)
            message.status.append(row)
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        stalled_for, limit = self._watch.read(stalled=bool(stalled)), self._settings.stalled_exit
        if limit and self._gpu_lost:
            self._end(self._gpu_lost)
        if limit and stalled_for >= limit:
            self._end(f"{stalled}, and nothing can end it. Fix: if it is only slow, raise stalled_exit")

    def _end(self, why: str) -> NoReturn:
        self.get_logger().fatal(f"the process ends with code {HUNG}, to be started anew: {why}")
        raise Hung


def main(args: list[str] | None = None) -> int:
    """Entry point of `perception_node`."""
    warnings.simplefilter("ignore", UntrainedLabelWarning)  # the node reports these on /diagnostics
    return run(PerceptionNode, args)


if __name__ == "__main__":
    sys.exit(main())
