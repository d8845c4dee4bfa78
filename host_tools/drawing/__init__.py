"""What the pages that people look at share: the frame of a self-contained page, its style, and axes drawn as SVG."""
