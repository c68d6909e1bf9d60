using System.Buffers;
using System.Text;
using Dataplane.Hosting.Metrics;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Hosting.Tests.Metrics;

public sealed class PrometheusTextWriterTests
{
    [Fact]
    public void Sample_Counter_FollowsTheOldFormatToTheByte()
    {
        string text = Write(MetricsFormat.Prometheus, writer =>
        {
            writer.BeginFamily("dataplane.network.io", isCounter: true, "By", "Bytes \"through\" a port.\nBoth ways.");
            writer.Sample(12, new KeyValuePair<string, object?>("network.interface.name", "a\"b\\c\nd"), new KeyValuePair<string, object?>("n", 5));
            writer.Sample(long.MaxValue);
        });
        Assert.Equal("""
            # HELP dataplane_network_io_bytes_total Bytes "through" a port.\nBoth ways.
            # TYPE dataplane_network_io_bytes_total counter
            dataplane_network_io_bytes_total{network_interface_name="a\"b\\c\nd",n="5"} 12
            dataplane_network_io_bytes_total 9223372036854775807

            """.ReplaceLineEndings("\n"), text);
    }

    [Fact]
    public void Sample_Counter_FollowsOpenMetricsToTheByte()
    {
        string text = Write(MetricsFormat.OpenMetrics, writer =>
        {
            writer.BeginFamily("dataplane.age", isCounter: false, "s", "An \"age\".");
            writer.Sample(-1);
            writer.BeginFamily("dataplane.packet.count", isCounter: true, "{packet}", "Packets.");
            writer.Sample(0, new KeyValuePair<string, object?>("x", null));
        });
        Assert.Equal("""
            # HELP dataplane_age_seconds An \"age\".
            # TYPE dataplane_age_seconds gauge
            # UNIT dataplane_age_seconds seconds
            dataplane_age_seconds -1
            # HELP dataplane_packet_count Packets.
            # TYPE dataplane_packet_count counter
            dataplane_packet_count_total{x=""} 0
            # EOF

            """.ReplaceLineEndings("\n"), text);
    }

    [Theory]
    [InlineData("a..b--c", "a_b_c")]
    [InlineData("9lives", "_9lives")]
    [InlineData("Üben", "_ben")]
    public void BeginFamily_NameOfOtherCharacters_BecomesOneOfPrometheus(string name, string expected)
    {
        string text = Write(MetricsFormat.Prometheus, writer => writer.BeginFamily(name, isCounter: false, "1", "x"));
        Assert.Contains($"# TYPE {expected} gauge\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Sample_AnyLabelValue_IsReadBackTheSame() =>
        Prop.ForAll<UnicodeString, long, bool>((label, value, openMetrics) =>
        {
            // Half a surrogate pair cannot be written in UTF-8 at all.
            string given = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(label.Get));
            string text = Write(openMetrics ? MetricsFormat.OpenMetrics : MetricsFormat.Prometheus, writer =>
            {
                writer.BeginFamily("family", isCounter: true, "1", given);
                writer.Sample(value, new KeyValuePair<string, object?>("label", given));
            });
            ExpositionParser parsed = ExpositionParser.Parse(text);
            ExpositionParser.Sample sample = Assert.Single(Assert.Single(parsed.Families.Values).Samples);
            return sample.Value == value && sample.Labels.SequenceEqual([("label", given)]) && parsed.HasEnd == openMetrics;
        }).Check(Config.QuickThrowOnFailure);

    [Fact]
    public void Sample_BufferGrown_AllocatesNothing()
    {
        var buffer = new ArrayBufferWriter<byte>(1 << 16);
        var writer = new PrometheusTextWriter(buffer);
        KeyValuePair<string, object?>[] labels = [new("network.interface.name", "wan")];
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            buffer.ResetWrittenCount();
            for (int i = 0; i < 100; i++)
            {
                writer.BeginFamily("dataplane.network.io", isCounter: true, "By", "Bytes.");
                writer.Sample(i, labels);
            }

            // The first round compiles.
            if (round > 0)
            {
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            }
        }
    }

    private static string Write(MetricsFormat format, Action<PrometheusTextWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new PrometheusTextWriter(buffer, format);
        write(writer);
        writer.End();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
