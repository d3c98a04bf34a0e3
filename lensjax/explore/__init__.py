"""The page of `lensjax explore`, in the browser: a lens under the mouse, an image and its estimate, and a tour."""
