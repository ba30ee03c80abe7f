"""What every service needs to speak HTTP: pages, problems, guards."""
