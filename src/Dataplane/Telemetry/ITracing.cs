namespace Dataplane.Telemetry;

/// <summary>Compile-time switch between forwarding and explaining: stages are generic over it.</summary>
/// <remarks>The type argument is a struct, so the JIT compiles each stage twice and removes every <c>if (TTracing.IsOn)</c> from the forwarding one.</remarks>
internal interface ITracing
{
    /// <summary>True when steps are to be recorded.</summary>
    static abstract bool IsOn { get; }
}

/// <summary>Forwarding: nothing is recorded.</summary>
internal readonly struct TracingOff : ITracing
{
    public static bool IsOn => false;
}

/// <summary>Explaining: every stage records what it looked at and what it decided.</summary>
internal readonly struct TracingOn : ITracing
{
    public static bool IsOn => true;
}
