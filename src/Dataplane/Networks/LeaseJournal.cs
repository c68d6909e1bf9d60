using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Dataplane.Networks;

/// <summary>The leases of one network in a file to which changes are appended: what a change costs does not grow with the leases there are.</summary>
/// <remarks>
/// First line: what the file is, and a word that no other file has. Each line behind it is a change with a checksum in front; the first change is all that was there when the file
/// was made. A last line that is not whole is that of a writer that died: its change was never reported as made, and it is cut off by the next. A line that is wrong with good ones
/// behind it was not left by a crash. When the changes are several times what they amount to, the file is made anew, whole or not at all. Callers hold the lock of the directory.
/// </remarks>
internal sealed class LeaseJournal(string path)
{
    private const string Magic = "dataplane-leases 1 ";
    private const int HeaderBytes = 52, ChecksumBytes = 8, MinCompactBytes = 16 * 1024;

    private readonly byte[] _header = new byte[HeaderBytes];
    private LeaseBook? _book;
    private long _length, _compactAt;

    /// <summary>Bytes written so far.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>The book as the file has it now; only what others have appended since the last time is read.</summary>
    /// <exception cref="IOException">The file is not one of ours.</exception>
    public LeaseBook Load(DateTimeOffset now, TimeSpan releaseDelay)
    {
        if (!File.Exists(path))
        {
            _book = new LeaseBook(LeaseFile.Read(Path.ChangeExtension(path, ".json")));
            _length = 0;
        }
        else
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            ReadOn(stream);
        }

        _book!.Begin(now, releaseDelay);
        return _book;
    }

    /// <summary>Has the changes of the book on the disk when it returns.</summary>
    /// <exception cref="IOException">The disk is full or failed; the next <see cref="Load"/> reads what there is.</exception>
    public void Save()
    {
        LeaseBook book = _book!;
        if (!book.IsChanged)
        {
            return;
        }

        // If it fails in the middle, the file is what counts.
        _book = null;
        byte[] line = LineOf(book.TakeChanges());
        if (_length == 0 || _length + line.Length > _compactAt)
        {
            Rewrite(book);
        }
        else
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read, bufferSize: 0);
            stream.SetLength(_length);
            stream.Position = _length;
            stream.Write(line);
            stream.Flush(flushToDisk: true);
            _length += line.Length;
            BytesWritten += line.Length;
        }

        _book = book;
    }

    /// <summary>Forgets what was read: the book was changed, and the change is not to be.</summary>
    public void Forget() => _book = null;

    private void Rewrite(LeaseBook book)
    {
        string word = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes((HeaderBytes - Magic.Length - 1) / 2));
        byte[] content = [.. Encoding.ASCII.GetBytes($"{Magic}{word}\n"), .. LineOf(book.ToFile())];
        DurableFile.Replace(path, content);
        File.Delete(Path.ChangeExtension(path, ".json"));
        content.AsSpan(0, HeaderBytes).CopyTo(_header);
        (_length, _compactAt) = (content.Length, CompactAt(content.Length));
        BytesWritten += content.Length;
    }

    /// <summary>How long a file may become that was made with this length.</summary>
    private static long CompactAt(int length) => Math.Max(MinCompactBytes, length * 4L);

    private void ReadOn(FileStream stream)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header.StartsWith(Encoding.ASCII.GetBytes(Magic)) || header[^1] != '\n')
        {
            throw Damaged("its first line is another's");
        }

        bool isNew = _book is null || _length < HeaderBytes || !header.SequenceEqual(_header) || stream.Length < _length;
        if (isNew)
        {
            header.CopyTo(_header);
            _book = new LeaseBook(new LeaseFile());
            _length = HeaderBytes;
        }

        stream.Position = _length;
        byte[] rest = new byte[stream.Length - _length];
        stream.ReadExactly(rest);
        _length += Apply(rest, isNew);
    }

    /// <summary>Applies all lines that are whole.</summary>
    /// <returns>How many bytes they are.</returns>
    private int Apply(byte[] bytes, bool isNew)
    {
        int at = 0;
        for (int end; (end = Array.IndexOf(bytes, (byte)'\n', at)) >= 0; at = end + 1)
        {
            if (Read(bytes.AsSpan(at, end - at)) is not { } change)
            {
                if (HasLine(bytes.AsSpan(end + 1)))
                {
                    throw Damaged(string.Create(CultureInfo.InvariantCulture, $"the checksum of the line at byte {_length + at} is not that of what it says"));
                }

                break;
            }

            _book!.Apply(change);
            if (isNew && at == 0)
            {
                _compactAt = CompactAt(HeaderBytes + end + 1);
            }
        }

        // A file is made whole with its first change in it.
        return at == 0 && isNew ? throw Damaged("its first change is not whole") : at;
    }

    private static bool HasLine(ReadOnlySpan<byte> bytes)
    {
        foreach (Range line in bytes.Split((byte)'\n'))
        {
            if (Read(bytes[line]) is not null)
            {
                return true;
            }
        }

        return false;
    }

    private static LeaseFile? Read(ReadOnlySpan<byte> line)
    {
        if (line.Length <= ChecksumBytes || !uint.TryParse(line[..ChecksumBytes], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint sum) || sum != SumOf(line[ChecksumBytes..]))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(line[ChecksumBytes..], LeaseJson.Default.LeaseFile);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static byte[] LineOf(LeaseFile change)
    {
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(change, LeaseLines.Default.LeaseFile);
        return [.. Encoding.ASCII.GetBytes(SumOf(text).ToString("x8", CultureInfo.InvariantCulture)), .. text, (byte)'\n'];
    }

    private static uint SumOf(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        foreach (byte value in bytes)
        {
            sum = BitOperations.Crc32C(sum, value);
        }

        return ~sum;
    }

    /// <summary>Beginning anew would give addresses twice.</summary>
    private IOException Damaged(string why) => new($"{path} is damaged ({why}); restore it, or remove it when nothing is attached to the network.");
}
