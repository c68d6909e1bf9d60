using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Conformance;

/// <summary>A packet sent in; what is said of it plays the step.</summary>
internal readonly struct CaseStep(ICaseBed bed, string port, byte[] frame)
{
    /// <summary>It leaves as these frames towards the outside.</summary>
    public void ToWan(params byte[][] frames) => Play([.. frames.Select(sent => ("wan", sent))]);

    /// <summary>It leaves as this frame towards the outside.</summary>
    public void ToWan(PacketBuilder packet) => ToWan(packet.Build());

    /// <summary>It leaves as these frames towards the inside.</summary>
    public void ToLan(params byte[][] frames) => Play([.. frames.Select(sent => ("lan", sent))]);

    /// <summary>It leaves as this frame towards the inside.</summary>
    public void ToLan(PacketBuilder packet) => ToLan(packet.Build());

    /// <summary>It is dropped without a word.</summary>
    public void Dropped(DropReason reason, int packets = 1) => Play([], reason, packets);

    /// <summary>It is dropped, and its sender is told by the port it came by.</summary>
    public void Refused(DropReason reason, byte[] answer) => Play([(port, answer)], reason, 1);

    /// <summary>Nothing leaves yet.</summary>
    public void Held() => Play([]);

    /// <summary>It leaves by a port as one frame that the standard leaves a choice in: the frame, to be compared with <see cref="CaseScript.Same"/>.</summary>
    public byte[] Left(string by)
    {
        (string Port, byte[] Frame) sent = Assert.Single(bed.Exchange(port, frame, 1, DropReason.None, 0));
        Assert.Equal(by, sent.Port);
        return sent.Frame;
    }

    private void Play((string Port, byte[] Frame)[] expected, DropReason reason = DropReason.None, int drops = 0) =>
        bed.AssertSame(expected, bed.Exchange(port, frame, expected.Length, reason, drops));
}
