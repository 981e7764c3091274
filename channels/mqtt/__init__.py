"""IP loudspeakers (大喇叭) and village radio terminals over MQTT 3.1.1, with signed commands."""

from channels.mqtt.adapter import MqttChannel

ADAPTER = MqttChannel

__all__ = ["ADAPTER", "MqttChannel"]
