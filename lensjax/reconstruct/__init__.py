"""Images and their lens to the undistorted source."""
