using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Dataplane.Hosting.Metrics;

/// <summary>Writes metrics in a text format that Prometheus reads, straight into a buffer such as a <see cref="System.IO.Pipelines.PipeWriter"/>.</summary>
/// <remarks>
/// Names are given as OpenTelemetry writes them (dotted, without unit) and brought into Prometheus' form: dots become underscores, the unit
/// and, for counters, <c>_total</c> are appended. Allocates nothing besides what the buffer does. Not safe for several threads at a time.
/// </remarks>
public sealed class PrometheusTextWriter
{
    private static readonly SearchValues<char> s_escaped = SearchValues.Create("\\\n\"");

    private readonly IBufferWriter<byte> _output;
    private readonly MetricsFormat _format;
    private string _family = "";
    private string _unit = "";
    private bool _isCounter;

    /// <summary>Writes into a buffer; nothing is flushed.</summary>
    public PrometheusTextWriter(IBufferWriter<byte> output, MetricsFormat format = MetricsFormat.Prometheus)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        _format = format;
    }

    /// <summary>The media type of what is written, for the Content-Type header.</summary>
    public static string ContentTypeOf(MetricsFormat format) => format == MetricsFormat.OpenMetrics
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
        : "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Begins a family of samples; all its samples must follow before the next family begins.</summary>
    /// <param name="name">Such as <c>dataplane.network.io</c>; characters Prometheus does not know become underscores.</param>
    /// <param name="isCounter">True for values that only grow, false for gauges.</param>
    /// <param name="unit">UCUM: <c>By</c> and <c>s</c> are appended to the name in full; <c>1</c> and words in braces are not.</param>
    /// <param name="help">One line for people.</param>
    public void BeginFamily(string name, bool isCounter, string unit, string help)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(help);
        _family = name;
        _isCounter = isCounter;
        _unit = unit switch { "By" => "bytes", "s" => "seconds", _ => "" };

        bool suffix = isCounter && _format == MetricsFormat.Prometheus;
        Raw("# HELP "u8);
        Name(suffix);
        Raw(" "u8);
        Escaped(help, isHelp: _format == MetricsFormat.Prometheus);
        Raw("\n# TYPE "u8);
        Name(suffix);
        Raw(isCounter ? " counter\n"u8 : " gauge\n"u8);
        if (_format == MetricsFormat.OpenMetrics && _unit.Length > 0)
        {
            Raw("# UNIT "u8);
            Name(suffix);
            Raw(" "u8);
            Text(_unit);
            Raw("\n"u8);
        }
    }

    /// <summary>Writes one sample of the family begun last.</summary>
    /// <param name="value">The value now.</param>
    /// <param name="labels">Names as of attributes (dotted) and their values; each name once.</param>
    public void Sample(long value, params ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        Name(_isCounter);
        for (int i = 0; i < labels.Length; i++)
        {
            Raw(i == 0 ? "{"u8 : ","u8);
            Identifier(labels[i].Key);
            Raw("=\""u8);
            Escaped(labels[i].Value as string ?? labels[i].Value?.ToString() ?? "", isHelp: false);
            Raw("\""u8);
        }

        Raw(labels.Length > 0 ? "} "u8 : " "u8);
        Span<byte> digits = _output.GetSpan(20);
        Utf8Formatter.TryFormat(value, digits, out int written);
        _output.Advance(written);
        Raw("\n"u8);
    }

    /// <summary>Ends the text; OpenMetrics demands it, so that a text cut off can be told from a whole one.</summary>
    public void End()
    {
        if (_format == MetricsFormat.OpenMetrics)
        {
            Raw("# EOF\n"u8);
        }
    }

    private void Name(bool total)
    {
        Identifier(_family);
        if (_unit.Length > 0)
        {
            Raw("_"u8);
            Text(_unit);
        }

        if (total)
        {
            Raw("_total"u8);
        }
    }

    /// <summary>Letters, digits and underscores, no two underscores in a row, no digit in front.</summary>
    private void Identifier(string name)
    {
        Span<byte> target = _output.GetSpan(name.Length + 1);
        int length = 0;
        foreach (char letter in name)
        {
            byte next = char.IsAsciiLetterOrDigit(letter) ? (byte)letter : (byte)'_';
            if (length == 0 && char.IsAsciiDigit(letter))
            {
                target[length++] = (byte)'_';
            }

            if (next != '_' || length == 0 || target[length - 1] != '_')
            {
                target[length++] = next;
            }
        }

        _output.Advance(length);
    }

    /// <summary>In a label's value backslash, line feed and quote are escaped; in a help text of the old format the quote is not.</summary>
    private void Escaped(ReadOnlySpan<char> text, bool isHelp)
    {
        while (text.IndexOfAny(s_escaped) is var at && at >= 0)
        {
            Text(text[..at]);
            Raw(text[at] switch { '\\' => "\\\\"u8, '\n' => "\\n"u8, _ => isHelp ? "\""u8 : "\\\""u8 });
            text = text[(at + 1)..];
        }

        Text(text);
    }

    private void Text(ReadOnlySpan<char> text) => Encoding.UTF8.GetBytes(text, _output);

    private void Raw(ReadOnlySpan<byte> bytes) => _output.Write(bytes);
}
