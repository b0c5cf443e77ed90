/** What the folder says of itself to the person who looks into it. */
export const FOLDER_README = `SmallTalk Console keeps its data in this folder (STORAGE_TYPE=file).

CURRENT            which of the folders with long names holds the data, and which are kept to go back to
<long name>/       one complete set of data:
  sessions/<id>/session.json       a session
  sessions/<id>/messages.ndjson    its messages, one JSON object a line
  agents/<id>.json, jobs/ ...      other documents
  events.ndjson ...                other logs, one JSON object a line
commits/           what the last named commits answered, so that one that is sent twice is carried out once
damaged/           what failed its checksum, as it was found; nothing in it is used
journal/           commits on their way into the files: they are durable there, and in the files some seconds later
lock, lock.owner   held by the process that uses the folder

Reading, copying, searching and committing these files to a repository is what they are for (.gitignore leaves out what
is not data). Close the console before you copy or change anything.

Every record carries checksums, so that a damaged or changed one is found, named, moved to damaged/ and never used:

  In a .json file, "crc32" is the CRC-32 of the bytes from the line after it up to the line of "value", and
  "contentCrc32" that of the bytes from the line of "value" to the end of the file.
  In the first line of an .ndjson file, "crc32" is that of the rest of the line, behind "crc32":"...", and without the
  line break (the spaces count). "after" is the number through which entries were removed (a large file may still hold
  some of them), "last" the last number that was given, "bytes" the size of the file.
  In the other lines it is the same, but the CRC-32 goes on from that of the name of the log and a line break.

So a change by hand needs new checksums. File names are the ids; what not every system takes in a name is written as
% and two digits, and long ids end in ~ and a hash.
`;

/** What is not data is not for a repository. */
export const FOLDER_GITIGNORE = `/journal/
/lock
/lock.owner
/.kept/
*.tmp
`;
