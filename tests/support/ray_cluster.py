"""A Ray cluster of two nodes on this machine."""

from typing import Any

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}


class Cluster:
    """Nodes with a CPU each; the head has none."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as RayCluster

        head = {**NODE, "num_cpus": 0, "node_name": "head"}
        self._ray = RayCluster(initialize_head=True, head_node_args=head)
        self._nodes: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """What ``--ray-address`` takes."""
        return str(self._ray.address)

    def ensure(self, *names: str) -> None:
        """Have nodes of these names."""
        for name in names:
            if name not in self._nodes:
                self._nodes[name] = self._ray.add_node(**NODE, node_name=name)

    def kill(self, name: str) -> None:
        """End a node as a power cut would."""
        self._ray.remove_node(self._nodes.pop(name), allow_graceful=False)

    def end(self) -> None:
        """End all nodes."""
        self._ray.shutdown()
