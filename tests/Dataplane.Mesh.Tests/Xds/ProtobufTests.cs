using Dataplane.Mesh.Xds;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Mesh.Tests.Xds.Proto;

namespace Dataplane.Mesh.Tests.Xds;

/// <summary>The wire format, and that nothing a server sends does more than be refused.</summary>
public sealed class ProtobufTests
{
    /// <summary>The examples of protobuf.dev/programming-guides/encoding.</summary>
    [Fact]
    public void WriteAndRead_ExamplesOfTheSpecification_AreTheSame()
    {
        Assert.Equal([0x08, 0x96, 0x01], new ProtobufWriter().Number(1, 150).Written.ToArray());
        Assert.Equal([0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67], new ProtobufWriter().Text(2, "testing").Written.ToArray());
        var reader = new ProtobufReader([0x1A, 0x03, 0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67]);
        Assert.True(reader.Next());
        Assert.Equal((3, 150ul), (reader.Field, reader.WrappedNumber()));
        Assert.True(reader.Next());
        Assert.Equal((2, "testing"), (reader.Field, reader.Text()));
        Assert.False(reader.Next());
    }

    [Fact]
    public void Next_FieldsOfOtherWireTypes_ArePassedOver()
    {
        var reader = new ProtobufReader([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, .. Number(900, ulong.MaxValue), .. Text(7, "x"), .. Number(3, 5)]);
        var fields = new List<int>();
        ulong last = 0;
        while (reader.Next())
        {
            fields.Add(reader.Field);
            last = reader.Field == 3 ? reader.Number() : 0;
        }

        Assert.Equal([1, 2, 900, 7, 3], fields);
        Assert.Equal(5ul, last);
    }

    [Fact]
    public void Number_AnyValue_IsWrittenAndReadBack() => Prop.ForAll<long>(value =>
    {
        byte[] written = new ProtobufWriter().Number(5, (ulong)value).Written.ToArray();
        var reader = new ProtobufReader(written);
        return value == 0 ? written.Length == 0 : reader.Next() && reader.Number() == (ulong)value && !reader.Next() && written.SequenceEqual(Proto.Number(5, (ulong)value));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(new byte[] { 0x0A, 0x05, 1 }, "the message ends within a field of 5 bytes")]
    [InlineData(new byte[] { 0x0A, 0x01, 0xFF }, "field 1 is no text in UTF-8")]
    [InlineData(new byte[] { 0x08, 0x01 }, "field 1 has wire type 0 and not 2")]
    [InlineData(new byte[] { 0x0B }, "wire type 3")]
    [InlineData(new byte[] { 0x02, 0x00 }, "is no field of a message")]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 }, "a number has more than 64 bits")]
    public void Text_OfWhatIsNone_IsSaid(byte[] message, string problem)
    {
        InvalidDataException wrong = Assert.Throws<InvalidDataException>(() =>
        {
            var reader = new ProtobufReader(message);
            while (reader.Next())
            {
                reader.Text();
            }
        });
        Assert.Contains(problem, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AnyDamage_IsRefusedAndNothingElse()
    {
        byte[] endpoints = Assignment("a:80", Locality("a", 1, Endpoint("10.1.0.1"), Endpoint("2001:db8::1", weight: 9))), cluster = StaticCluster("a:80", Locality("a", 0, Endpoint("10.1.0.1")));
        byte[] response = Response(AssignmentType, "1", "n", [endpoints, cluster]);
        var random = new Random(11);
        for (int i = 0; i < 3000; i++)
        {
            foreach ((byte[] whole, Action<byte[]> read) in new (byte[], Action<byte[]>)[]
            {
                (endpoints, bytes => XdsAssignment.Read(bytes)), (cluster, bytes => XdsCluster.Read(bytes)), (response, bytes => XdsResponse.Read(bytes)),
            })
            {
                byte[] damaged = [.. whole[..random.Next(whole.Length + 1)]];
                for (int flips = random.Next(3); flips > 0 && damaged.Length > 0; flips--)
                {
                    damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
                }

                if (Record.Exception(() => read(damaged)) is { } thrown)
                {
                    Assert.IsType<InvalidDataException>(thrown);
                }
            }
        }
    }

    [Theory]
    [InlineData("web", "default/web:0")]
    [InlineData("web:80", "default/web:80")]
    [InlineData("shop/web:80", "shop/web:80")]
    [InlineData("outbound|8080||web.shop.svc.cluster.local", "shop/web:8080")]
    [InlineData("outbound|8080|v1|web.shop.svc.cluster.local", null)]
    [InlineData("outbound|8080||web.example.org", null)]
    [InlineData("outbound|0||web.shop.svc.cluster.local", null)]
    [InlineData("web:0", null)]
    [InlineData("web:x", null)]
    [InlineData("a/b/c:80", null)]
    [InlineData("", null)]
    public void TryParse_NamesOfClusters_MeanServicesOrNothing(string text, string? expected) =>
        Assert.Equal(expected, ClusterName.TryParse(text, out ClusterName name) ? $"{name.Namespace}/{name.Service}:{name.Port}" : null);
}
