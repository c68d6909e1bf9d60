using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class EthernetTests
{
    private const string Addresses = "0200000000020200000000A1";

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        byte[] bytes = Convert.FromHexString(Addresses + "0800" + "CAFE");
        Assert.True(EthernetView.TryParse(bytes, out EthernetView view));
        Assert.Equal("02:00:00:00:00:02", view.Destination.ToString());
        Assert.Equal("02:00:00:00:00:a1", view.Source.ToString());
        Assert.Equal(EtherTypes.Ipv4, view.EtherType);
        Assert.Equal(EthernetFraming.EthernetII, view.Framing);
        Assert.Equal((0, 14), (view.VlanTagCount, view.PayloadOffset));
        Assert.Equal(new byte[] { 0xCA, 0xFE }, view.Payload.ToArray());
        Assert.False(view.TryGetVlanTag(0, out _));
        Assert.False(view.IsTruncated);
    }

    [Fact]
    public void TryParse_StackedTags_OutermostFirst()
    {
        byte[] bytes = Convert.FromHexString(Addresses + "88A8" + "B064" + "8100" + "0005" + "86DD" + "60");
        Assert.True(EthernetView.TryParse(bytes, out EthernetView view));
        Assert.Equal((2, 22, EtherTypes.Ipv6), (view.VlanTagCount, view.PayloadOffset, view.EtherType));
        Assert.True(view.TryGetVlanTag(0, out VlanTag outer));
        Assert.Equal((EtherTypes.ServiceVlan, 100, 5, true), (outer.Protocol, outer.Id, outer.Priority, outer.DropEligible));
        Assert.True(view.TryGetVlanTag(1, out VlanTag inner));
        Assert.Equal(new VlanTag(5), inner);
        Assert.False(view.TryGetVlanTag(2, out _));
        Assert.False(view.TryGetVlanTag(-1, out _));
        Assert.Equal(new byte[] { 0x60 }, view.Payload.ToArray());
    }

    [Theory]
    [InlineData("0003424203" + "FFFFFF", EthernetFraming.Llc, EtherTypes.None, "424203", false)]
    [InlineData("0000", EthernetFraming.Llc, EtherTypes.None, "", false)]
    [InlineData("0026424203", EthernetFraming.Llc, EtherTypes.None, "424203", true)]
    [InlineData("000AAAAA030000000800" + "4500" + "00", EthernetFraming.Snap, EtherTypes.Ipv4, "4500", false)]
    [InlineData("000AAAAA0300000C2000" + "0102", EthernetFraming.Snap, EtherTypes.None, "0102", false)]
    [InlineData("000AAAAA03000000002A" + "0102", EthernetFraming.Snap, EtherTypes.None, "0102", false)]
    [InlineData("0007AAAA0300000008", EthernetFraming.Llc, EtherTypes.None, "AAAA0300000008", false)]
    [InlineData("0009AAAA0300000800" + "0000", EthernetFraming.Snap, EtherTypes.None, "00", false)]
    [InlineData("05FF", EthernetFraming.Llc, EtherTypes.None, "", true)]
    [InlineData("0600AA", EthernetFraming.EthernetII, 0x0600, "AA", false)]
    public void TryParse_LengthField_IsNotAType(string rest, EthernetFraming framing, int etherType, string payload, bool truncated)
    {
        Assert.True(EthernetView.TryParse(Convert.FromHexString(Addresses + rest), out EthernetView view));
        Assert.Equal((framing, etherType, truncated), (view.Framing, view.EtherType, view.IsTruncated));
        Assert.Equal(payload, Convert.ToHexString(view.Payload));
        Assert.Equal(framing == EthernetFraming.EthernetII, view.TryGetFields(out _));
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        var fields = new EthernetFields
        {
            Destination = MacAddress.Parse("02:00:00:00:00:02"),
            Source = MacAddress.Parse("02:00:00:00:00:a1"),
            EtherType = EtherTypes.Ipv6,
            Vlan = new VlanTag(100, 5, dropEligible: true, EtherTypes.ServiceVlan),
            InnerVlan = new VlanTag(5),
        };
        byte[] bytes = new byte[fields.EmittedLength];
        Assert.Equal(22, fields.Emit(bytes));
        Assert.Equal(Addresses + "88A8B0648100000586DD", Convert.ToHexString(bytes));
    }

    [Theory]
    [InlineData("")]
    [InlineData("08")]
    [InlineData("8100")]
    [InlineData("81000005")]
    [InlineData("8100000508")]
    [InlineData("88A80001810000")]
    public void TryParse_ImpossibleLength_IsRefused(string rest)
    {
        byte[] bytes = Convert.FromHexString(Addresses + rest);
        Assert.False(EthernetView.TryParse(bytes, out _));
        Assert.False(EthernetEditor.TryCreate(bytes, out _));
    }

    [Fact]
    public void TryParse_NinthTag_IsRefused()
    {
        static string Stack(int tags) => Addresses + string.Concat(Enumerable.Repeat("81000001", tags)) + "0800";
        Assert.True(EthernetView.TryParse(Convert.FromHexString(Stack(8)), out EthernetView view));
        Assert.Equal(8, view.VlanTagCount);
        Assert.False(view.TryGetFields(out _));
        Assert.False(EthernetView.TryParse(Convert.FromHexString(Stack(9)), out _));
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from destination in WireGen.Mac
         from source in WireGen.Mac
         from type in Gen.Choose(0x0600, 0xFFFF).Where(value => !EtherTypes.IsVlan((ushort)value))
         from outer in WireGen.Tag.Maybe()
         from inner in WireGen.Tag.Maybe()
         select new EthernetFields
         {
             Destination = destination,
             Source = source,
             EtherType = (ushort)type,
             Vlan = outer,
             InnerVlan = outer is null ? null : inner,
         }).ForAll(fields =>
         {
             byte[] bytes = new byte[fields.EmittedLength];
             return fields.Emit(bytes) == bytes.Length && EthernetView.TryParse(bytes, out EthernetView view) && view.TryGetFields(out EthernetFields parsed)
                 && parsed == fields && view.Payload.IsEmpty;
         });

    [Fact]
    public void Editor_Setters_WriteInPlace()
    {
        byte[] bytes = Convert.FromHexString(Addresses + "88A8B0648100000586DD60");
        Assert.True(EthernetEditor.TryCreate(bytes, out EthernetEditor editor));
        editor.SwapAddresses();
        Assert.Equal("0200000000A1020000000002", Convert.ToHexString(bytes.AsSpan(0, 12)));
        editor.Destination = MacAddress.Broadcast;
        editor.Source = new MacAddress(1);
        Assert.Equal((MacAddress.Broadcast, new MacAddress(1)), (editor.Destination, editor.Source));
        Assert.True(editor.TrySetVlanTag(1, new VlanTag(7, 1, protocol: EtherTypes.ServiceVlan)));
        Assert.False(editor.TrySetVlanTag(2, new VlanTag(7)));
        Assert.False(editor.TrySetVlanTag(-1, new VlanTag(7)));
        Assert.Equal("FFFFFFFFFFFF00000000000188A8B0648100200786DD60", Convert.ToHexString(bytes));
    }

    [Fact]
    public void VlanTag_BadValues_Throw()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new VlanTag(4096));
        Assert.Throws<ArgumentOutOfRangeException>(() => new VlanTag(1, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => new VlanTag(1, protocol: 0x0800));
    }
}
