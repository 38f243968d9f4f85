"""One grammar for whatever is listed, counted or ended: FIELD OPERATOR VALUE, all of which must hold."""
