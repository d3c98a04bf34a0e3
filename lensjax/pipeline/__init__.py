"""From the image of a galaxy to its lens, without a person: lens light, arcs, starts, fits, and flags."""
