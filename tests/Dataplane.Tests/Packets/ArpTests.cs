using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class ArpTests
{
    private const string Request = "0001080006040001" + "0200000000A1" + "C0000201" + "000000000000" + "C0000207";

    private static ArpFields RequestFields => new()
    {
        Operation = ArpOperation.Request,
        SenderMac = MacAddress.Parse("02:00:00:00:00:a1"),
        SenderAddress = IpAddress.Parse("192.0.2.1"),
        TargetAddress = IpAddress.Parse("192.0.2.7"),
    };

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        Assert.True(ArpView.TryParse(Convert.FromHexString(Request + "0000"), out ArpView view));
        Assert.Equal(ArpOperation.Request, view.Operation);
        Assert.Equal("02:00:00:00:00:a1", view.SenderMac.ToString());
        Assert.Equal("192.0.2.1", view.SenderAddress.ToString());
        Assert.True(view.TargetMac.IsZero);
        Assert.Equal("192.0.2.7", view.TargetAddress.ToString());
        Assert.True(view.TryGetFields(out ArpFields fields));
        Assert.Equal(RequestFields, fields);
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        byte[] bytes = new byte[ArpFields.EmittedLength];
        Assert.Equal(28, RequestFields.Emit(bytes));
        Assert.Equal(Request, Convert.ToHexString(bytes));
    }

    [Fact]
    public void TryParse_ImpossibleLength_IsRefused()
    {
        byte[] bytes = Convert.FromHexString(Request);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(ArpView.TryParse(bytes.AsSpan(0, length), out _));
            Assert.False(ArpEditor.TryCreate(bytes.AsSpan(0, length), out _));
        }
    }

    [Theory]
    [InlineData(1, 6)]
    [InlineData(2, 0x86)]
    [InlineData(4, 8)]
    [InlineData(5, 16)]
    public void TryParse_NotEthernetAndIpv4_IsRefused(int offset, byte value)
    {
        byte[] bytes = Convert.FromHexString(Request);
        bytes[offset] = value;
        Assert.False(ArpView.TryParse(bytes, out _));
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from operation in WireGen.UInt16
         from senderMac in WireGen.Mac
         from sender in WireGen.V4
         from targetMac in WireGen.Mac
         from target in WireGen.V4
         select new ArpFields
         {
             Operation = (ArpOperation)operation,
             SenderMac = senderMac,
             SenderAddress = sender,
             TargetMac = targetMac,
             TargetAddress = target,
         }).ForAll(fields =>
         {
             byte[] bytes = new byte[ArpFields.EmittedLength];
             fields.Emit(bytes);
             return ArpView.TryParse(bytes, out ArpView view) && view.TryGetFields(out ArpFields parsed) && parsed == fields;
         });

    [Fact]
    public void MakeReply_Request_AnswersTheAsker()
    {
        byte[] bytes = Convert.FromHexString(Request);
        Assert.True(ArpEditor.TryCreate(bytes, out ArpEditor editor));
        editor.MakeReply(MacAddress.Parse("02:00:00:00:00:b2"));
        Assert.Equal("0001080006040002" + "0200000000B2" + "C0000207" + "0200000000A1" + "C0000201", Convert.ToHexString(bytes));
        Assert.Equal(ArpOperation.Reply, editor.Operation);
    }
}
