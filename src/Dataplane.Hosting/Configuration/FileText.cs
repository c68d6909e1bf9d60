using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Configuration;

namespace Dataplane.Hosting.Configuration;

/// <summary>The text of a file by pieces: those that are an element of a list each, from its dash to the next line that is not further in, and what is between them.</summary>
/// <remarks>A piece says the same wherever it stands in a list: what comes behind it is no further in, so it cannot belong to it, unless a bracket or quote is open;
/// so of such, none is kept whose last word stands behind the piece. Buffers are kept from one reading to the next. One thread.</remarks>
internal sealed class FileText
{
    /// <summary>So many pieces are looked at for one that goes on as the other text does.</summary>
    private const int Sight = 1024;

    /// <summary>Ends of lines are those of Unix; the parser knows more of them, and counts tabs as it does.</summary>
    private static readonly SearchValues<byte> s_others = SearchValues.Create([.. Enumerable.Range(0, 32).Where(code => code != '\n').Select(code => (byte)code)]);

    private static readonly string s_mark = Guid.NewGuid().ToString("N") + ' ';

    private readonly List<Piece> _pieces = [];
    private readonly List<(int First, KnownElements Elements)> _runs = [];
    private readonly ArrayBufferWriter<byte> _remainder = new();
    private readonly Dictionary<int, int> _byLine = [];
    private object?[] _objects = [];
    private byte[] _bytes = [];
    private int _length;

    /// <summary>What was read of the text without what was known.</summary>
    public ConfigNode? Root { get; set; }

    /// <summary>Whether all that was known has become part of what was read.</summary>
    public bool IsAllTaken => _runs.TrueForAll(run => run.Elements.IsTaken);

    /// <summary>How many elements were known.</summary>
    public int CountKnown => _runs.Sum(run => run.Elements.Count);

    private ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>Takes the text of a file; false when it cannot be read, or not by pieces.</summary>
    public bool TryFill(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            _length = 0;
            int read;
            do
            {
                if (_length == _bytes.Length)
                {
                    Array.Resize(ref _bytes, Math.Max(64 << 10, 2 * _length));
                }

                read = file.Read(_bytes, _length, _bytes.Length - _length);
                _length += read;
            }
            while (read > 0 && _length <= ConfigurationFile.MaxSizeBytes);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return false;
        }

        return _length <= ConfigurationFile.MaxSizeBytes && !Bytes.ContainsAny(s_others) && Bytes.IndexOf("\u0085"u8) < 0 && Bytes.IndexOf("\u2028"u8) < 0
            && Bytes.IndexOf("\u2029"u8) < 0 && Bytes.IndexOf("\uFEFF"u8) < 0;
    }

    /// <summary>The text with a mark for each run of elements that are known from another text.</summary>
    public ReadOnlySpan<byte> WithoutKnown(FileText before)
    {
        Divide();
        _runs.Clear();
        _byLine.Clear();
        _remainder.ResetWrittenCount();
        int at = 0, old = 0, line = 1;
        Span<Piece> pieces = CollectionsMarshal.AsSpan(_pieces);
        for (int i = 0; i < pieces.Length; i++)
        {
            int known = before.Find(old, Bytes[pieces[i].Start..pieces[i].End], pieces[i].Hash);
            if (known < 0)
            {
                line += Write(Bytes[at..pieces[i].Start]);
                _byLine[line] = i;
                line += Write(Bytes[pieces[i].Start..pieces[i].End]);
                pieces[i].LastLine = line - (Bytes[pieces[i].End - 1] == '\n' ? 1 : 0);
                at = pieces[i].End;
                continue;
            }

            // A run: those that follow each other here and there.
            int count = 1;
            while (i + count < pieces.Length && pieces[i + count].Start == pieces[i + count - 1].End && pieces[i + count].Dash == pieces[i].Dash
                && before.Is(known + count, Bytes[pieces[i + count].Start..pieces[i + count].End], pieces[i + count].Hash)
                && before._objects[known + count]!.GetType() == before._objects[known]!.GetType())
            {
                count++;
            }

            line += Write(Bytes[at..pieces[i].Start]);
            line += WriteMark(pieces[i].Dash);
            _runs.Add((i, new KnownElements(before._objects, known, count)));
            old = known + count;
            i += count - 1;
            at = pieces[i].End;
        }

        Write(Bytes[at..]);
        return _remainder.WrittenSpan;
    }

    /// <summary>The elements that a mark stands for; null for any other text.</summary>
    public KnownElements? KnownOf(string text) => text.StartsWith(s_mark, StringComparison.Ordinal)
        && int.TryParse(text.AsSpan(s_mark.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int run) ? _runs[run].Elements : null;

    /// <summary>Remembers what each piece was read as.</summary>
    public void Learn(DataplaneSpec read)
    {
        if (_objects.Length < _pieces.Count)
        {
            _objects = new object?[_pieces.Count];
        }

        Array.Clear(_objects);
        Learn(Root!.Get("routes"), read.Routes);
        Learn(Root.Get("services"), read.Services);
        Learn(Root.Get("filter")?.Get("rules"), read.Filter.Rules);
        _runs.Clear();
        Root = null;
    }

    private void Learn<T>(ConfigNode? list, IReadOnlyList<T> read)
        where T : class
    {
        int at = 0;
        foreach (ConfigNode node in list?.Items ?? [])
        {
            if (node.Known is { } known)
            {
                int first = _runs.Find(candidate => candidate.Elements == known).First;
                for (int i = 0; i < known.Count; i++)
                {
                    _objects[first + i] = read[at++];
                }

                continue;
            }

            int piece = FindLine(node.Line);
            if (piece >= 0 && node.LastLine > 0 && node.LastLine <= _pieces[piece].LastLine)
            {
                _objects[piece] = read[at];
            }

            at++;
        }
    }

    /// <summary>The piece that was read anew and begins in a line, or -1.</summary>
    private int FindLine(int line) => _byLine.GetValueOrDefault(line, -1);

    /// <summary>The next piece of this text that says the same and is known, not far behind another, or -1.</summary>
    private int Find(int from, ReadOnlySpan<byte> text, int hash)
    {
        int end = Math.Min(_pieces.Count, from + Sight);
        for (int i = from; i < end; i++)
        {
            if (Is(i, text, hash))
            {
                return i;
            }
        }

        return -1;
    }

    private bool Is(int index, ReadOnlySpan<byte> text, int hash) => index < _pieces.Count && _pieces[index] is var piece && piece.Hash == hash && _objects[index] is not null
        && Bytes[piece.Start..piece.End].SequenceEqual(text);

    private int Write(ReadOnlySpan<byte> text)
    {
        _remainder.Write(text);
        return text.Count((byte)'\n');
    }

    private int WriteMark(int dash)
    {
        _remainder.GetSpan(dash)[..dash].Fill((byte)' ');
        _remainder.Advance(dash);
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"- \"{s_mark}{_runs.Count}\"\n"), _remainder);
        return 1;
    }

    /// <summary>Finds the pieces.</summary>
    private void Divide()
    {
        _pieces.Clear();
        int start = -1, dash = 0;
        for (int at = 0, next; at < _length; at = next)
        {
            int end = Bytes[at..].IndexOf((byte)'\n');
            next = end < 0 ? _length : at + end + 1;
            ReadOnlySpan<byte> line = Bytes[at..next];
            int indent = line.IndexOfAnyExcept((byte)' ');
            if (indent < 0 || line[indent] is (byte)'\n' or (byte)'#' || (start >= 0 && indent > dash))
            {
                continue;
            }

            if (start >= 0)
            {
                Add(start, at, dash);
            }

            (start, dash) = line[indent..].StartsWith("- "u8) ? (at, indent) : (-1, 0);
        }

        if (start >= 0)
        {
            Add(start, _length, dash);
        }
    }

    private void Add(int start, int end, int dash)
    {
        var hash = default(HashCode);
        hash.AddBytes(Bytes[start..end]);
        _pieces.Add(new Piece { Start = start, End = end, Dash = dash, Hash = hash.ToHashCode() });
    }

    /// <summary>A piece of the text.</summary>
    private struct Piece
    {
        public int Start, End, Dash, Hash;

        /// <summary>Its last line in what was given to the parser; 0 when it was known.</summary>
        public int LastLine;
    }
}
