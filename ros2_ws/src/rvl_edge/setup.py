# SPDX-License-Identifier: Apache-2.0
"""ament_python package `rvl_edge`. Its module is `rvl_edge_ros`: one named rvl_edge would shadow the SDK."""

from setuptools import setup

setup(
    name="rvl_edge",
    version="0.1.0",
    packages=["rvl_edge_ros"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rvl_edge"]),
        ("share/rvl_edge", ["package.xml"]),
        ("share/rvl_edge/launch", ["launch/perception.launch.py", "launch/replay.launch.py"]),
        ("share/rvl_edge/config", ["config/perception.yaml", "rvl_edge_ros/fastdds.xml"]),
    ],
    package_data={"rvl_edge_ros": ["fastdds.xml"]},
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    maintainer="rvl_edge maintainers",
    maintainer_email="maintainers@rvl-edge.org",
    description="Robust embeddings and labels from colour, thermal and depth cameras and microphones",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "perception_node = rvl_edge_ros.perception_node:main",
            "replay_node = rvl_edge_ros.replay_node:main",
            "demo = rvl_edge_ros.demo:main",
        ]
    },
)
