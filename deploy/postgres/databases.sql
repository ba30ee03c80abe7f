-- Run once, when the volume is empty: the role of the services and its two databases.
-- The superuser loses the password it was made with and is left with the server's own socket.
\getenv password POSTGRES_PASSWORD
CREATE ROLE rapport LOGIN PASSWORD :'password';
CREATE DATABASE rapport OWNER rapport;
CREATE DATABASE rapport_keys OWNER rapport;
REVOKE CONNECT ON DATABASE rapport, rapport_keys FROM PUBLIC;
ALTER ROLE postgres PASSWORD NULL;
