"""Partner agencies: who may push alerts, and what they may ask."""
