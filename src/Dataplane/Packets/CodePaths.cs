namespace Dataplane.Packets;

/// <summary>Reads the environment variable <c>DATAPLANE_FORCE</c> once per process.</summary>
internal static class CodePaths
{
    /// <summary>The variable that forces a path.</summary>
    public const string Variable = "DATAPLANE_FORCE";

    /// <summary>The forced path, or <see cref="CodePath.Auto"/>. A static readonly field, so that the JIT removes the paths not taken.</summary>
    public static readonly CodePath Current = Parse(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Reads a value of the variable.</summary>
    /// <exception cref="ArgumentException">A value with no meaning: a test run that believes it forced a path must not pass without it.</exception>
    public static CodePath Parse(string? value) => value switch
    {
        null or "" => CodePath.Auto,
        "scalar" => CodePath.Scalar,
        "v128" => CodePath.V128,
        "v256" => CodePath.V256,
        "v512" => CodePath.V512,
        _ => throw new ArgumentException($"{Variable}={value} is not known: use scalar, v128, v256 or v512, or unset the variable.", nameof(value)),
    };
}
