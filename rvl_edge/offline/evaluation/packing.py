# SPDX-License-Identifier: Apache-2.0
"""One number a sample, as text in a JSON file."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class _Column:
    """Read and written as base64 of little-endian numbers; the array is read-only."""

    def __init__(self, kind: str, what: str) -> None:
        self._dtype, self._what = np.dtype(kind), what

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            lambda column: base64.b64encode(column.tobytes()).decode(), return_schema=core_schema.str_schema()
        )
        return core_schema.no_info_plain_validator_function(self._read, serialization=written)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "contentEncoding": "base64",
            "description": f"{self._what}, one a sample, little-endian",
        }

    def _read(self, value: Any) -> npt.NDArray[Any]:
        if isinstance(value, str):
            try:
                value = np.frombuffer(base64.b64decode(value, validate=True), self._dtype)
            except (binascii.Error, ValueError) as error:
                raise ValueError(f"no base64 of {self._what}: {error}") from None
        column = np.array(value, self._dtype)
        if column.ndim != 1:
            raise ValueError(f"one number a sample is expected, not {column.shape}")
        column.flags.writeable = False
        return column


ClassColumn = Annotated[npt.NDArray[np.uint16], _Column("<u2", "16-bit unsigned integers")]
FlagColumn = Annotated[npt.NDArray[np.bool_], _Column("?", "booleans of a byte")]
RealColumn = Annotated[npt.NDArray[np.float32], _Column("<f4", "32-bit floats")]
