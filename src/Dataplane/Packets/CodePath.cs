namespace Dataplane.Packets;

/// <summary>Which of several equal implementations runs: all of them must pass the same tests, so each can be forced.</summary>
internal enum CodePath
{
    /// <summary>The fastest this machine has.</summary>
    Auto,

    /// <summary>The plain reference code.</summary>
    Scalar,

    /// <summary>128-bit vectors.</summary>
    V128,

    /// <summary>256-bit vectors; emulated where the machine has none.</summary>
    V256,

    /// <summary>512-bit vectors; emulated where the machine has none.</summary>
    V512,
}
