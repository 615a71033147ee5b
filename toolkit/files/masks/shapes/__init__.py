"""Masks that are drawn: COCO, labelme and YOLO."""
