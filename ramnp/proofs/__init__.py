"""Why every gradient can be trusted: three oracles, quadrature and planted bugs."""
