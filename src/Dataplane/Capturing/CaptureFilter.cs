using System.Diagnostics.CodeAnalysis;

namespace Dataplane.Capturing;

/// <summary>Which packets a capture takes: tests as tcpdump has them, and what has become of the packet.</summary>
/// <remarks>
/// <para><c>[src|dst] host ADDRESS</c>, <c>[src|dst] net PREFIX</c>, <c>[src|dst] port NUMBER</c>, <c>[src|dst] portrange A-B</c>, <c>ip</c>, <c>ip6</c>, <c>arp</c>, <c>tcp</c>,
/// <c>udp</c>, <c>icmp</c>, <c>icmp6</c>, <c>proto NAME|NUMBER</c>, <c>ether proto NUMBER</c>; <c>inbound</c>, <c>outbound</c>, <c>on PORT</c> (a port of the data plane);
/// <c>dropped</c>, <c>reason NAME</c>, <c>held</c>; <c>flow ADDRESS:PORT ADDRESS:PORT</c>, both directions, before and behind translation.
/// They are joined by <c>and</c>, <c>or</c>, <c>not</c> (<c>&amp;&amp;</c>, <c>||</c>, <c>!</c>) and parentheses; <c>tcp port 80</c> means <c>tcp and port 80</c>.</para>
/// Compiled once; asking does not allocate. Addresses and ports are those of the outermost IP header. Immutable, any thread.
/// </remarks>
public sealed class CaptureFilter
{
    private readonly CaptureTest[] _tests;

    internal CaptureFilter(string text, CaptureTest[] tests)
    {
        Text = text;
        _tests = tests;
    }

    /// <summary>Takes every packet.</summary>
    public static CaptureFilter Everything { get; } = new("", []);

    /// <summary>What it was made from.</summary>
    public string Text { get; }

    /// <summary>Compiles a filter; an empty one takes every packet.</summary>
    /// <param name="text">The filter.</param>
    /// <exception cref="FormatException">It is none; the message says where and what is allowed there.</exception>
    public static CaptureFilter Parse(string text) => TryParse(text, out CaptureFilter? filter, out string error) ? filter : throw new FormatException(error);

    /// <summary>Compiles a filter, if it is one.</summary>
    /// <param name="text">The filter; empty or null for every packet.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="error">What is wrong, and at which character, counted from 1; empty when nothing is.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out CaptureFilter? filter, out string error)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            (filter, error) = (Everything, "");
            return true;
        }

        var reader = new CaptureFilterReader(text);
        filter = reader.TryRead(out CaptureTest[] tests) ? new CaptureFilter(text, tests) : null;
        error = reader.Error;
        return filter is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    /// <summary>The same with the ports it names known by their identifiers.</summary>
    /// <exception cref="ArgumentException">There is no such port.</exception>
    internal CaptureFilter Resolve(Func<string, int> find)
    {
        var tests = (CaptureTest[])_tests.Clone();
        for (int i = 0; i < tests.Length; i++)
        {
            if (tests[i].Name is { } name)
            {
                tests[i].From = (ushort)find(name);
            }
        }

        return new CaptureFilter(Text, tests);
    }

    /// <summary>Asks about a packet. Steps stand behind what they join; two bits of a word are an answer.</summary>
    internal CaptureAnswer Ask(in CaptureFacts facts)
    {
        if (_tests.Length == 0)
        {
            return CaptureAnswer.Yes;
        }

        ulong answers = 0;
        foreach (ref readonly CaptureTest test in _tests.AsSpan())
        {
            ulong last = answers & 3, before = (answers >> 2) & 3;
            answers = test.Kind switch
            {
                CaptureTestKind.And => (answers >> 4 << 2) | Math.Min(last, before),
                CaptureTestKind.Or => (answers >> 4 << 2) | Math.Max(last, before),
                CaptureTestKind.Not => (answers >> 2 << 2) | (2 - last),
                _ => (answers << 2) | (ulong)test.Ask(in facts),
            };
        }

        return (CaptureAnswer)(answers & 3);
    }
}
