"""From points to pixels: grids, the centre of light, the detector."""
