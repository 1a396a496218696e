# SPDX-License-Identifier: Apache-2.0
"""Class prompts under attack: the encoder is asked by other words, its samples attacked as well or not.

With samples attacked too it is MMCoA's multimodal test (arXiv:2404.19287), but for one thing: there samples
are crafted against the clean prompts, here against the attacked ones, which is the stronger attacker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.asking import Arm
from rvl_edge.offline.evaluation.subjects import Judge
from rvl_edge.offline.hardening.attacks.text.candidates import Substitutes
from rvl_edge.offline.hardening.attacks.text.characters import CharacterEdits
from rvl_edge.offline.hardening.attacks.text.interface import (
    Read,
    TextAttack,
    TextGoal,
    divergence,
    squared_distance,
)
from rvl_edge.offline.hardening.attacks.text.substitution import WordSubstitution
from rvl_edge.offline.hardening.attacks.text.words import Lexicon

PROMPT_ATTACKS = ("words", "characters")


@dataclass(frozen=True, eq=False)
class PromptAttack:
    """An attack on every prompt of every class, which knows the text tower and no sample.

    Attributes:
        name: one of `PROMPT_ATTACKS`.
        edits: words or characters changed in each prompt, at most.
        lexicon: which words may stand for which; characters must not spell one of its words.
        seed: of what is drawn.
    """

    name: str
    edits: int
    lexicon: Lexicon
    seed: int = 0

    def __call__(self, read: Read, prompts: Sequence[str]) -> list[str]:
        """Prompts as the attacker leaves them: MMCoA's word substitution, or LEAF's typing errors.

        Raises:
            ConfigError: there is no such attack.
        """
        attack, goal = self._form()
        with torch.no_grad():
            clean = read(prompts)
        return attack(prompts, read, goal(clean), torch.Generator().manual_seed(self.seed))

    @property
    def settings(self) -> dict[str, str | int]:
        """For the result."""
        digest = hashlib.sha256(repr(sorted(self.lexicon.stop_words)).encode())
        digest.update(repr(sorted(self.lexicon.substitutes.items())).encode())
        return {
            "prompts": self.name,
            "prompts_edits": self.edits,
            "prompts_seed": self.seed,
            "lexicon_sha256": digest.hexdigest(),
        }

    def _form(self) -> tuple[TextAttack, Callable[[Tensor], TextGoal]]:
        own = self.lexicon
        if self.name == "words":
            return WordSubstitution(Substitutes(own.substitutes), own.stop_words, self.edits), divergence
        if self.name == "characters":
            known = own.stop_words.union(own.substitutes, *own.substitutes.values())
            return CharacterEdits(self.edits, words=known), squared_distance
        raise ConfigError("no such attack on prompts", got=self.name, expected=", ".join(PROMPT_ATTACKS))


def prompt_arms(attack: PromptAttack, attacked: Judge, arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The conditions with clean prompts once more, by attacked ones; corruptions and checks are left out.

    Args:
        attack: on the prompts.
        attacked: the encoder with the anchors that the attack left.
        arms: with clean prompts.
    """
    found = []
    for arm in arms:
        own = arm.condition
        if arm.asked is not None or own.kind not in {"clean", "attack"}:
            continue
        changes = {
            "kind": "attack",
            "name": attack.name if arm.strike is None else f"{attack.name}+{own.name}",
            "settings": {**own.settings, **attack.settings},
            "attacker": "the text tower" if own.attacker is None else f"the text tower; {own.attacker}",
        }
        found.append(replace(arm, condition=own.model_copy(update=changes), asked=attacked.logits))
    return tuple(found)
