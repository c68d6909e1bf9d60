using Dataplane.Pipeline;

namespace Dataplane.Tests.Conformance;

/// <summary>Where cases are played: something that forwards between "wan" and "lan".</summary>
internal interface ICaseBed
{
    /// <summary>Sends a frame in.</summary>
    /// <param name="port">"wan" or "lan".</param>
    /// <param name="frame">The frame.</param>
    /// <param name="frames">How many frames are expected to come out, for beds that must wait for them.</param>
    /// <param name="reason">Why packets are dropped over it; <see cref="DropReason.None"/> when none may be.</param>
    /// <param name="drops">How many are.</param>
    /// <returns>What came out, in order for each port.</returns>
    IReadOnlyList<(string Port, byte[] Frame)> Exchange(string port, byte[] frame, int frames, DropReason reason, int drops);

    /// <summary>Lets time pass; nothing may come out meanwhile.</summary>
    void Wait(TimeSpan time);

    /// <summary>Changes the configuration.</summary>
    void Update(Func<DataplaneSpec, DataplaneSpec> change);

    /// <summary>Asserts that nothing has come out beyond what the steps of a case said.</summary>
    void End();

    /// <summary>Asserts what a step has led to.</summary>
    void AssertSame(IReadOnlyList<(string Port, byte[] Frame)> expected, IReadOnlyList<(string Port, byte[] Frame)> actual);
}
