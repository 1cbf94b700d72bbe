"""Untrusted bytes in, one small upright grey picture out; the only place that opens images."""
